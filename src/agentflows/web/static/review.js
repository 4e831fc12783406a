// Keys of a review. The form is complete without them: they press its buttons, tick its boxes and fill its fields.
"use strict";
(() => {
  const { isPlain, isTyping } = window.agentflowsKeys;
  const form = document.getElementById("review");
  const commit = document.getElementById("commit");

  // -- before a commit -------------------------------------------------------------------------------
  if (commit || document.body.classList.contains("confirming")) {
    document.addEventListener("keydown", (event) => {
      if (!isPlain(event) || isTyping(event.target) || event.repeat) return;
      if (event.key === "Enter" && commit && !event.target.matches("a, button, summary")) {
        event.preventDefault();
        commit.requestSubmit(document.getElementById("do-commit"));
      } else if (event.key === "b") {
        event.preventDefault();
        document.getElementById("back").click();
      }
    });
    commit?.addEventListener("submit", () => sessionStorage.removeItem(`draft-${commit.dataset.dream}`));
  }
  if (!form) return;

  // -- what is marked survives a reload --------------------------------------------------------------
  const key = `draft-${form.dataset.dream}`;
  const cards = [...form.querySelectorAll(".change-card")];
  const field = (name, kind) => form.elements[`${kind}-${name}`];
  const draft = () => JSON.parse(sessionStorage.getItem(key) ?? "{}");
  const keep = (card) => {
    const name = card.dataset.change;
    const all = draft();
    all[name] = {
      s: field(name, "s").value,
      v: field(name, "v").value,
      r: field(name, "r")?.value ?? "",
      t: field(name, "t")?.value ?? "",
    };
    sessionStorage.setItem(key, JSON.stringify(all));
  };
  for (const card of cards) {
    const name = card.dataset.change;
    const kept = draft()[name];
    if (!kept || kept.s !== field(name, "s").value || field(name, "v").value) continue;
    const radio = [...card.querySelectorAll("input[type=radio]")].find((one) => one.value === kept.v);
    if (radio) radio.checked = true;
    if (field(name, "r") && kept.r) field(name, "r").value = kept.r;
    if (field(name, "t") && kept.t) field(name, "t").value = kept.t;
  }

  // -- what is decided, told -------------------------------------------------------------------------
  const tally = document.getElementById("tally");
  const elsewhere = [...form.querySelectorAll("input[type=hidden][name^='v-']")].filter((one) => one.value).length;
  const total = tally.textContent.match(/of ([\d,]+)/)[1];
  const verdict = (card) => field(card.dataset.change, "v").value;
  const tell = (said) => {
    const decided = elsewhere + cards.filter(verdict).length;
    const strong = document.createElement("strong");
    strong.textContent = String(decided);
    const unseen = document.createElement("span");
    unseen.className = "unseen";
    unseen.textContent = said ? ` ${said}.` : "";
    tally.replaceChildren(strong, ` of ${total} decided`, unseen);
    for (const card of cards) card.dataset.verdict = verdict(card);
  };
  form.addEventListener("change", (event) => {
    const card = event.target.closest(".change-card");
    if (card) keep(card);
    tell("");
  });
  form.addEventListener("input", (event) => {
    const card = event.target.closest(".change-card");
    if (card && event.target.matches("textarea, input[name^='r-']")) keep(card);
  });
  tell("");

  // -- keys ------------------------------------------------------------------------------------------
  let place = -1;
  const current = () => cards[place];
  const arrival = `arrival-${form.dataset.dream}`;
  const turn = (button, end) => {
    sessionStorage.setItem(arrival, end);
    button.click();
  };
  const go = (to) => {
    const before = document.getElementById("before");
    const after = document.getElementById("after");
    if (to < 0) return before && turn(before, "last");
    if (to >= cards.length) return after ? turn(after, "first") : document.getElementById("confirm").focus();
    place = to;
    cards[place].focus({ preventScroll: true });
    cards[place].scrollIntoView({ block: "start", behavior: "auto" });
  };
  form.addEventListener("focusin", (event) => {
    const card = event.target.closest(".change-card");
    if (card) place = cards.indexOf(card);
  });
  const number = (card) => card.id.slice(1);
  const box = (card) => card.querySelector("input[name^='x-']");
  const selected = () => cards.filter((card) => box(card).checked);
  const radio = (card, value) => card.querySelector(`input[type=radio][value="${value}"]`);
  const mark = (card, value) => {
    const one = radio(card, value);
    if (!one) return false;
    one.checked = true;
    keep(card);
    return true;
  };
  const several = (value) => {
    const done = selected().filter((card) => mark(card, value));
    for (const card of selected()) box(card).checked = false;
    tell(`${done.length} marked`);
    return done;
  };
  const decide = (value, said) => {
    if (selected().length) {
      several(value);
      const after = document.getElementById("after");
      if (after && cards.every(verdict)) turn(after, "first");
      return;
    }
    const card = current();
    if (!card || !mark(card, value)) return;
    tell(`Change ${number(card)} ${said}`);
    go(place + 1);
  };
  const reject = () => {
    const chosen = selected();
    if (chosen.length) several("reject");
    const card = chosen[0] ?? current();
    if (!card || !mark(card, "reject")) return;
    rejecting = chosen.length ? chosen : [card];
    field(card.dataset.change, "r").focus();
    tell(`Change ${number(card)} rejected: type why`);
  };
  let rejecting = [];
  const edit = () => {
    const card = current();
    if (!card || !mark(card, "edit")) return;
    tell(`Change ${number(card)}: your own words`);
    field(card.dataset.change, "t").focus();
  };
  const answer = (digit) => {
    const card = current();
    const one = card?.querySelector(`input[data-key="${digit}"]`);
    if (!one) return;
    if (one.value === "edit") return void edit();
    one.checked = true;
    keep(card);
    tell(`Change ${number(card)} answered`);
    go(place + 1);
  };
  const selectAll = () => {
    const ordinary = cards.filter((card) => card.dataset.op !== "flag");
    const all = ordinary.every((card) => box(card).checked);
    for (const card of ordinary) box(card).checked = !all;
    tell(all ? "Nothing selected" : `${ordinary.length} selected`);
  };
  const open = () => {
    for (const one of current()?.querySelectorAll("details.lazy") ?? []) one.open = !one.open;
  };

  const keys = {
    j: () => go(place + 1),
    k: () => go(place - 1),
    a: () => decide("approve", "approved"),
    r: reject,
    e: edit,
    u: () => decide("", "undecided"),
    c: open,
    X: selectAll,
    x: () => {
      const card = current();
      if (!card) return;
      box(card).checked = !box(card).checked;
      tell(`Change ${number(card)} ${box(card).checked ? "selected" : "not selected"}`);
    },
  };
  keys[" "] = keys.x;
  const end = sessionStorage.getItem(arrival); // a page that keys led to goes on with its first change, or its last
  sessionStorage.removeItem(arrival);
  if (end) go(end === "first" ? 0 : cards.length - 1);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && event.target.closest(".change-card")) {
      event.target.closest(".change-card").focus();
      return;
    }
    if (event.key === "Enter" && event.target.matches("input[name^='r-']")) {
      event.preventDefault();
      const reason = event.target.value;
      for (const card of rejecting) if (!field(card.dataset.change, "r").value) {
        field(card.dataset.change, "r").value = reason;
        keep(card);
      }
      const last = rejecting.length > 1 ? place : cards.indexOf(event.target.closest(".change-card"));
      rejecting = [];
      go(last + 1);
      return;
    }
    if (!isPlain(event) || isTyping(event.target)) return;
    const onControl = event.target.matches("a, button, summary, input");
    if (event.key === "Enter" && !onControl && !event.repeat) {
      event.preventDefault();
      form.requestSubmit(document.getElementById("confirm"));
      return;
    }
    if (event.key === " " && onControl) return;
    const act = /^[1-9]$/.test(event.key) ? () => answer(event.key) : keys[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }, { capture: true });

  // -- quotes in their context -----------------------------------------------------------------------
  form.addEventListener("toggle", async (event) => {
    const details = event.target;
    if (!details.open || !details.dataset?.context || details.dataset.loaded) return;
    details.dataset.loaded = "1";
    const into = details.querySelector(".into");
    try {
      const answer = await fetch(details.dataset.context, { headers: { accept: "text/html" } });
      if (!answer.ok) throw new Error(String(answer.status));
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      into.replaceChildren(...page.body.childNodes);
    } catch (error) {
      delete details.dataset.loaded;
      into.textContent = `It could not be loaded (${error.message}). The address above leads to it.`;
    }
  }, true);
})();
