#!/usr/bin/env python3
"""That layers.py finds what it is for, and leaves alone what is right."""

import sys

from layers import problems_in

RIGHT = [
    ("lib/base/str.c", '#include "base/memory.h"\n#include <string.h>\n'),
    ("lib/base/include/base/json.h", "#include <json-c/json.h>\n"),
    ("lib/io/http.c", '#include "base/str.h"\n#include <curl/curl.h>\n'),
    ("lib/kube/cache.c", '#include "io/http.h"\n#include "base/map.h"\n'),
    ("lib/arena/wire.c", '#include "executor.pb-c.h"\n#include "base/json.h"\n'),
    ("controller/main.c", '#include "kube/client.h"\n#include "match.h"\n#include "arena/names.h"\n'),
    ("fetch/archive.c", "#include <archive.h>\n#include <archive_entry.h>\n"),
]
WRONG = [
    ("lib/base/str.c", '#include "io/http.h"\n'),
    ("lib/io/http.c", '  #  include "kube/client.h"\n'),
    ("lib/io/http.c", '#include "../kube/store.h"\n'),
    ("lib/arena/rating.c", '#include "io/timer.h"\n'),
    ("lib/kube/cache.c", '#include "arena/names.h"\n'),
    ("lib/kube/client.c", "#include <curl/curl.h>\n"),
    ("lib/kube/client.c", "#include <json-c/json.h>\n"),
    ("controller/match.c", '#include "../fetch/path.h"\n'),
    ("controller/match.c", '#include "executor.pb-c.h"\n'),
    ("controller/match.c", "#include <git2.h>\n"),
    ("api-server/hub.c", '#include "controller/match.h"\n'),
]


def main() -> int:
    failed = [f"refused: {path}: {text}" for path, text in RIGHT if problems_in(path, text)]
    failed += [f"not found: {path}: {text}" for path, text in WRONG if not problems_in(path, text)]
    for line in failed:
        print(line.strip(), file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
