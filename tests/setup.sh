#!/bin/sh
# Provide what pip cannot: PostgreSQL, for the tests marked `postgres`. Where it cannot be had, those tests skip and say so.
set -u

if command -v initdb >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
    exit 0
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "PostgreSQL is not installed: the tests marked postgres will be skipped. Install it (Debian: apt-get install postgresql) to run them."
    exit 0
fi
echo "Installing PostgreSQL with apt-get, for the tests marked postgres ..."
export DEBIAN_FRONTEND=noninteractive
if apt-get update -qq && apt-get install -y -qq --no-install-recommends postgresql >/dev/null; then
    exit 0
fi
echo "PostgreSQL could not be installed (see above): the tests marked postgres will be skipped."
