//! A wall clock for the program that tests can set, and the daemon, which runs by it.

use std::process::{Child, Command, Stdio};

use chrono::{DateTime, Utc};

use super::Scheme;

/// A library that replaces the system's clock: the wall clock is ahead by the number of seconds in a file.
const SHIM: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int done = real(id, at);
    if (id == CLOCK_REALTIME) {
        FILE *file = fopen(getenv("SECONDS_AHEAD"), "r");
        long seconds = 0;
        if (file) { if (fscanf(file, "%ld", &seconds) != 1) seconds = 0; fclose(file); }
        at->tv_sec += seconds;
    }
    return done;
}
"#;

/// Gives this scheme's program a wall clock that is ahead by the number of seconds in the file `ahead`, at first 0.
pub fn with_a_clock_of_its_own(scheme: &mut Scheme) {
    scheme.write("shim.c", SHIM);
    scheme.write("ahead", "0");
    let (library, ahead) = (scheme.path("shim.so"), scheme.path("ahead"));
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).args([&library, &scheme.path("shim.c")]).arg("-ldl");
    assert!(compiler.status().unwrap().success());
    scheme.env.push(("LD_PRELOAD".to_owned(), library.display().to_string()));
    scheme.env.push(("SECONDS_AHEAD".to_owned(), ahead.display().to_string()));
}

/// A running `paylater run`, until it is stopped or dropped.
pub struct Daemon(Child);

impl Daemon {
    pub fn start(scheme: &Scheme) -> Daemon {
        Daemon(scheme.command(&["run"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    pub fn stop(mut self) {
        Command::new("kill").arg("-TERM").arg(self.0.id().to_string()).status().unwrap();
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.0.kill().ok();
    }
}

/// Sets the wall clock of this scheme's program to this instant. The clock continues from there.
pub fn set(scheme: &Scheme, at: &str) {
    let at: DateTime<Utc> = at.parse().unwrap();
    scheme.write("ahead", (at - Utc::now()).num_seconds().to_string());
}
