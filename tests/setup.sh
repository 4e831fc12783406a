#!/bin/sh
# Provide what pip cannot: PostgreSQL, for the tests marked `postgres`, bubblewrap, for those that run commands in a
# sandbox, and Chromium, for those marked `browser`. Where one cannot be had, its tests skip and say so
# (AGENTFLOWS_SANDBOX_TESTS=required and AGENTFLOWS_BROWSER_TESTS=required make that a failure).
set -u

wanted=""
if ! command -v initdb >/dev/null 2>&1 && ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
    wanted="postgresql"
fi
if [ "$(uname -s)" = Linux ] && ! command -v bwrap >/dev/null 2>&1; then
    wanted="$wanted bubblewrap"
fi
if ! command -v chromium >/dev/null 2>&1 && ! command -v chromium-browser >/dev/null 2>&1 && ! command -v google-chrome >/dev/null 2>&1; then
    wanted="$wanted chromium"
fi
if [ -z "$wanted" ]; then
    exit 0
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "Not installed:" $wanted "- its tests will be skipped. Install it (Debian: apt-get install" $wanted") to run them."
    exit 0
fi
echo "Installing" $wanted "with apt-get, for the tests ..."
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq || echo "The list of packages could not be brought up to date; trying with the old one."
install() {
    apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}
# All at once is quicker; one that cannot be had must not take the other with it.
# shellcheck disable=SC2086
install $wanted 2>/dev/null || for package in $wanted; do
    install "$package" || echo "$package could not be installed (see above): its tests will be skipped."
done
