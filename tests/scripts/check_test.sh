#!/usr/bin/env bash
# usage: check_test.sh <script/check>
#
# Plants one breach of every rule of the source check in a small tree and expects each to be found, and nothing else.
set -euo pipefail
check=$1
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
cd "$tree"

plant() { mkdir -p "$(dirname "$1")"; printf '%b' "$2" >"$1"; }

plant .clang-format 'BasedOnStyle: Google\nColumnLimit: 100\n'
plant CMakeLists.txt 'fine.cc examples/fine/main.cc non_ascii.cc unfinished.cc using.cc mutex.cc todo.cc relative.cc format.cc long.cc tests/sleep.cc tests/name.cc tests/fine/fine_test.cc\n'
plant libconduit/CMakeLists.txt 'src/library.cc\n'
plant libstore/CMakeLists.txt 'src/user.cc src/boost.cc\n include/podkit/store/conditional.h include/podkit/store/curl.h\n'
plant fine.cc '#include <string>\nint Fine() { return 0; }  // absl::Mutex is named in a comment only\n'
plant tests/data/umlaut.txt 'gr\xc3\xbcn\n'
plant tests/calendar.ics 'SUMMARY:gr\xc3\xbcn\n'

expected=()
# breach <file> <line> <message> <contents>
breach() {
  plant "$1" "$4"
  expected+=("$1:$2: $3")
}
breach non_ascii.cc 2 'not ASCII' '// 1\n// gr\xc3\xbcn\n'
breach unfinished.cc 1 'marked as not to be committed' '// NO''COMMIT\n'
breach using.cc 1 'using namespace' 'using namespace std;\n'
breach mutex.cc 1 'absl::Mutex: use common/mutex.h' 'absl::Mutex mutex;\n'
breach todo.cc 1 'a TODO names its kind, TODO(perf), not a person' '// TODO(joe): later\n'
breach tests/sleep.cc 1 'a sleep: wait for the event itself, or move a clock' 'void F() { absl::SleepFor(x); }\n'
breach tests/name.cc 1 "a test's name with ';': ctest would not find it" 'TEST_CASE("It fails; or not", "[x]") {}\n'
breach once.h 1 'no #pragma once' 'int Once();\n'
breach long.cc 501 'longer than 500 lines' "$(printf '//\\n%.0s' {1..501})"
breach libstore/include/podkit/store/conditional.h 2 '#if in a public header' \
  '#pragma once\n#ifdef X\n#endif\n'
breach libstore/include/podkit/store/curl.h 2 \
  'a public header includes standard C++, absl status and time, and podkit only' \
  '#pragma once\n#include <curl/curl.h>\n'
breach libconduit/src/library.cc 1 'libconduit must not include this library' '#include "podkit/store/home.h"\n'
breach libstore/src/user.cc 2 'a library must not include a server or a test' \
  '#include "podkit/conduit/call.h"\n#include "servers/http/server.h"\n'
breach libstore/src/boost.cc 1 'only servers use this' '#include <boost/asio.hpp>\n'
breach common/library.h 2 'common/ must not include a library' '#pragma once\n#include "podkit/store/home.h"\n'
breach relative.cc 1 'include by the path from the root, not relative' '#include "../common/text.h"\n'
breach forgotten.cc 1 'no CMakeLists.txt names this file' 'int Forgotten() { return 0; }\n'
breach format.cc 1 'not formatted, run clang-format-16 -i' 'int  Format( ){return 0;}\n'
breach README.md 3 'not in any example: Fine(2);' '```cpp\nFine(1);\n  Fine(2);\n```\n'
plant examples/fine/main.cc 'Fine(1);\n'
breach docs/page.md 2 'no such page: gone.md' '[here](page.md#a) [web](https://example.org/x)\n[gone](gone.md)\n'
plant tests/fine/fine_test.cc 'TEST_CASE("It is there") {}\n'
breach docs/upstream-cases.md 2 'no such test: "It is gone"' '"It is there"\n"It is gone"\n'
plant libstore/src/actions.h '#pragma once\nAction<"home-info", 1> info;\n'
breach docs/upstream-actions.md 2 'no such action: home-infos' \
  '| `gone-there` | `home-info` of a `no_action` |\n| `home_metadata` | `home-infos` |\n'
breach script/broken 1 'a script that is not executable' '#!/usr/bin/env bash\n'
breach script/packages.txt 1 'docs/dependencies.md lacks libfoo-dev' '[build]\nlibfoo-dev\n'

status=0
found=$("$check" "$tree" 2>/dev/null) || status=$?
if [[ $status != 1 ]]; then
  echo "expected status 1 for a tree with breaches, got $status"
  exit 1
fi
diff <(printf '%s\n' "${expected[@]}" | sort) <(sort <<<"$found") || {
  echo "expected on the left, found on the right"
  exit 1
}

rm -r lib* common docs examples script
find . -name '*.cc' -not -name fine.cc -delete
rm once.h README.md
echo fine.cc >CMakeLists.txt
"$check" "$tree"
