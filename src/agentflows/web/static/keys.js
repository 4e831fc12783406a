// Keys on every page: j and k move through what is listed, / searches, ? explains. Everything works without it.
"use strict";
document.documentElement.classList.add("js");
window.agentflowsKeys = (() => {
  const stored = "agentflows-keys-off";
  const isOn = () => localStorage.getItem(stored) === null;
  const isTyping = (target) =>
    target.matches("input:not([type=radio]):not([type=checkbox]), textarea, select, [contenteditable]");
  const isPlain = (event) => isOn() && !event.ctrlKey && !event.metaKey && !event.altKey && !event.isComposing;

  const move = (items, step) => {
    const here = items.findIndex((item) => item === document.activeElement || item.contains(document.activeElement));
    const next = here < 0 ? (step > 0 ? 0 : items.length - 1) : here + step;
    return items[next];
  };

  document.addEventListener("keydown", (event) => {
    if (!isPlain(event) || isTyping(event.target) || event.defaultPrevented) return;
    if (event.key === "?") location.href = "/help";
    else if (event.key === "/") document.getElementById("find")?.focus();
    else if (event.key === "j" || event.key === "k") {
      const rows = [...document.querySelectorAll("[data-row]")];
      const row = move(rows, event.key === "j" ? 1 : -1);
      row?.querySelector("a.title, a")?.focus();
      row?.scrollIntoView({ block: "nearest" });
    } else return;
    event.preventDefault();
  });

  const button = document.getElementById("keys-switch");
  const tell = () => {
    button.textContent = isOn() ? "Keys are on" : "Keys are off";
    button.setAttribute("aria-pressed", String(isOn()));
  };
  if (button) {
    tell();
    button.addEventListener("click", () => {
      if (isOn()) localStorage.setItem(stored, "1");
      else localStorage.removeItem(stored);
      tell();
    });
  }
  return { isPlain, isTyping };
})();
