#!/bin/sh
# Looks at every file of a build. What is printed is the log; what is judged stands in $TASKBOT_RESULTS.
# The contract: docs/tasks.md of taskbot.
set -eu

empty=$(find "$TASKBOT_FETCHED" -type f -empty)
find "$TASKBOT_FETCHED" -type f | sort > "$TASKBOT_ARTIFACTS/files.log"
echo "$(wc -l < "$TASKBOT_ARTIFACTS/files.log") files of $TASKBOT_INPUT_PACKAGE"

if [ -z "$empty" ]; then
    outcome=PASSED note="no file is empty"
else
    outcome=FAILED note="empty: $(echo "$empty" | head -n 1 | sed "s|^$TASKBOT_FETCHED/||")"
fi

# Text from outside may hold anything: JSON needs a program that writes JSON, or `taskbot result` where it is installed.
cat > "$TASKBOT_RESULTS" <<END
results:
- testcase: @NAME@
  outcome: $outcome
  note: $(printf '%s' "$note" | tr -cd '[:alnum:] ._:/-' | sed "s/.*/'&'/")
  artifact: files.log
END
