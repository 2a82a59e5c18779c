//! Hostile leavings: what a task may put where its results and artifacts are read. Each is a whole run.

/// A run that leaves something hostile.
pub struct HostileLeaving {
    pub name: &'static str,
    /// Its `[prepare]`, if any.
    pub prepare: Option<&'static str>,
    pub script: &'static str,
    /// What the run must say of it; empty: it is to be passed over.
    pub says: &'static str,
}

const fn leaves(name: &'static str, says: &'static str, script: &'static str) -> HostileLeaving {
    HostileLeaving { name, prepare: None, script, says }
}

pub const LEAVINGS: &[HostileLeaving] = &[
    leaves(
        "results that are a link to a secret",
        "symbolic link",
        "rm -f \"$R\"; ln -s \"$SECRET_FILE\" \"$R\"",
    ),
    leaves("results that are a pipe", "not a regular file", "rm -f \"$R\"; mkfifo \"$R\""),
    leaves("results that are a directory", "not a regular file", "rm -f \"$R\"; mkdir \"$R\""),
    leaves(
        "results that are a socket",
        "not a regular file",
        "rm -f \"$R\"; cd \"${R%/*}\"; python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' \"${R##*/}\"",
    ),
    leaves(
        "results that are a device",
        "not a regular file",
        "rm -f \"$R\"; mknod \"$R\" c 1 5 2>/dev/null || mkfifo \"$R\"",
    ),
    leaves(
        "results with a second name",
        "hard link",
        "cd \"${R%/*}\"; rm -f \"$R\"; echo '{}' > x; ln x \"$R\"",
    ),
    leaves(
        "a million keys",
        "",
        "python3 -c 'import json, sys\nkeys = {str(i): i for i in range(1000000)}\n\
         json.dump({\"results\": [{\"checkname\": \"t\", \"outcome\": \"PASSED\", **keys}]}, sys.stdout)' > \"$R\"",
    ),
    leaves("results beyond their bound", "larger than", "truncate -s 5M \"$R\""),
    leaves("deeply nested results", "", "python3 -c 'print(\"[\" * 1000000)' > \"$R\""),
    leaves(
        "a result in the name of another run",
        "",
        "printf 'results:\\n- checkname: t\\n  outcome: PASSED\\n  run: 1\\n  taskbot.run: 1\\n' > \"$R\"",
    ),
    leaves(
        "an artifact out of its directory",
        "leaves its directory",
        "printf 'results:\\n- checkname: t\\n  outcome: FAILED\\n  artifact: ../../../../state/secret\\n' > \"$R\"",
    ),
    leaves(
        "an artifact that is a link to a secret",
        "",
        "ln -s \"$SECRET_FILE\" \"$A/log.txt\"; ln -s / \"$A/root\"",
    ),
    leaves(
        "names that are no text",
        "",
        "cd \"$A\"; python3 -c 'import os\nfor n in (b\"a\\nb\", b\"\\x1b[2Jx\", b\"\\xff\\xfe\", b\"-rf\", b\" \"): open(n, \"w\").write(\"x\")'",
    ),
    leaves(
        "directories without rights",
        "",
        "mkdir -p \"$A/a/b\" \"$W/c\"; touch \"$A/a/b/f\"; chmod 000 \"$A/a/b\" \"$A/a\" \"$W/c\"",
    ),
    leaves(
        "directories too deep to remove",
        "",
        "cd \"$W\"; python3 -c 'import os\nfor i in range(20000): os.mkdir(\"d\"); os.chdir(\"d\")' 2>/dev/null; echo",
    ),
    HostileLeaving {
        name: "escape sequences in a log",
        prepare: Some("printf 'bad \\033]0;owned\\007\\033[2J\\n'; exit 1"),
        script: "true",
        says: "preparation failed",
    },
];
