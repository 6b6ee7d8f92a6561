//! A real PostgreSQL for tests. Each caller gets a new, empty database.
//!
//! Each test process starts its own server when it needs the first database. The server runs in a temporary folder,
//! accepts connections only through a socket in that folder, and ends with the process. nextest runs each test in its
//! own process, so this costs about one second for each test. To avoid that, set `PAYLATER_TEST_POSTGRES` to the URL of
//! a running server (`postgres://user@host/postgres`, with a user who can create databases). Tests then only create
//! databases on that server, and do not drop them.
//!
//! Nothing here skips a test: without PostgreSQL, the test fails and says which package to install.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::str::FromStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

/// Creates an empty database and returns its URL.
pub async fn database() -> String {
    database_on(server_url()).await
}

async fn database_on(server: String) -> String {
    let mut admin = PgConnectOptions::from_str(&server)
        .unwrap_or_else(|error| panic!("{server} is not the URL of a PostgreSQL server: {error}"))
        .disable_statement_logging()
        .connect()
        .await
        .unwrap_or_else(|error| panic!("connecting to {server}: {error}"));
    let name = fresh_name();
    sqlx::query(AssertSqlSafe(format!("create database {name} template template0")))
        .execute(&mut admin)
        .await
        .unwrap_or_else(|error| panic!("creating a database on {server}: {error}"));
    admin.close().await.expect("the connection has just worked");
    with_database(&server, &name)
}

/// Returns the URL of the server's own database, from which tests create others.
fn server_url() -> String {
    std::env::var("PAYLATER_TEST_POSTGRES").unwrap_or_else(|_| {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(Server::start).url.clone()
    })
}

/// Returns a name that no other database has, not even one from an earlier run on the same server.
fn fresh_name() -> String {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    let made = MADE.fetch_add(1, Ordering::Relaxed);
    format!("paylater_{}_{}_{made}", since.as_micros(), std::process::id())
}

/// Returns the URL of another database on the same server.
fn with_database(url: &str, name: &str) -> String {
    let (address, parameters) = url.split_once('?').map_or((url, None), |(address, rest)| (address, Some(rest)));
    let (scheme, rest) = address.split_once("://").expect("sqlx has taken it for a URL");
    let host = rest.split('/').next().unwrap_or_default();
    let parameters = parameters.map(|parameters| format!("?{parameters}")).unwrap_or_default();
    format!("{scheme}://{host}/{name}{parameters}")
}

/// A server that runs as long as this process.
pub struct Server {
    url: String,
    /// The keeper's standard input is a pipe from this process. However this process ends, the operating system closes
    /// the pipe; the keeper then stops the server and removes the folder.
    keeper: Child,
    said: BufReader<ChildStdout>,
}

/// Settings that save time and memory: tests discard their data, and many servers run at once.
const THRIFTY: &str = "-c fsync=off -c full_page_writes=off -c shared_buffers=32MB";

/// Whether the server runs with PostgreSQL's default settings instead, as after an installation.
static AS_INSTALLED: AtomicBool = AtomicBool::new(false);

/// Runs the server with its default settings, for benchmarks. Call this before the first database is created.
#[allow(dead_code, reason = "benches take it")]
pub fn as_installed() {
    AS_INSTALLED.store(true, Ordering::Relaxed);
}

/// The script that runs the server and cleans up after it. Its arguments are the folder with PostgreSQL's programs, and
/// settings.
///
/// The temporary folder is directly in /tmp and ignores TMPDIR: a socket's path can have only about a hundred bytes,
/// and the user that the server runs as must have access to it. The server stops immediately, without a checkpoint,
/// because its data is discarded.
const KEEPER: &str = r#"
set -eu
# A signal that kills a shell outright would leave the server behind.
trap '' PIPE
trap 'exit 1' HUP INT TERM
folder=$(mktemp -d /tmp/paylater-postgres.XXXXXX)
server=
clean_up() {
    if [ -n "$server" ]; then
        kill -QUIT "$server" || true
        wait "$server" || true
    fi
    rm -rf "$folder"
}
trap clean_up EXIT
fail() {
    cat "$folder/log"
    exit 1
}
programs=$1
settings=$2
launch() {
    "$programs/postgres" -D "$folder/data" -k "$folder" -c listen_addresses= -c timezone=UTC $settings >"$folder/log" 2>&1 \
        </dev/null &
    server=$!
    until grep -q '^ready' "$folder/data/postmaster.pid" 2>/dev/null; do
        kill -0 "$server" 2>/dev/null || fail
        sleep 0.02
    done
    echo "ready $folder"
}
"$programs/initdb" --pgdata="$folder/data" --username=postgres --auth=trust --locale=C --encoding=UTF8 --no-sync \
    >"$folder/log" 2>&1 </dev/null || fail
launch
while read -r _; do
    kill -INT "$server"
    wait "$server" || true
    launch
done
"#;

impl Server {
    /// Starts a separate server, for a test that restarts it.
    pub fn start() -> Server {
        let programs = find_programs().unwrap_or_else(|| {
            panic!("no initdb and postgres in PATH or /usr/lib/postgresql/*/bin: apt-get install postgresql")
        });
        let mut command = Command::new("sh");
        command
            .args(["-c", KEEPER, "keeper"])
            .arg(programs)
            .arg(if AS_INSTALLED.load(Ordering::Relaxed) { "" } else { THRIFTY })
            // The user that the server runs as may have no access to the current folder.
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A test runner considers a test unfinished while any process has its output open.
            .stderr(Stdio::null())
            // Ctrl-C and a runner's timeout signal the whole process group of the test. The keeper needs its own group,
            // because it must outlive the test to clean up.
            .process_group(0);
        if let Some((user, group)) = unprivileged() {
            command.uid(user).gid(group);
        }
        let mut keeper = command.spawn().unwrap_or_else(|error| panic!("starting sh for PostgreSQL: {error}"));
        let mut said = BufReader::new(keeper.stdout.take().expect("its output is piped"));
        let mut line = String::new();
        said.read_line(&mut line).unwrap_or_else(|error| panic!("waiting for PostgreSQL: {error}"));
        let Some(folder) = line.strip_prefix("ready ") else {
            said.read_to_string(&mut line).unwrap_or_else(|error| panic!("reading why: {error}"));
            panic!("PostgreSQL does not start:\n{line}");
        };
        Server { url: format!("postgres://postgres@localhost/postgres?host={}", folder.trim()), keeper, said }
    }

    #[allow(dead_code, reason = "benches restart none")]
    pub async fn database(&self) -> String {
        database_on(self.url.clone()).await
    }

    /// Restarts the server as an update does: open transactions are rolled back, and every connection ends.
    #[allow(dead_code, reason = "benches restart none")]
    pub fn restart(&mut self) {
        self.keeper.stdin.as_mut().expect("its input is piped").write_all(b"restart\n").expect("the keeper reads");
        let mut line = String::new();
        self.said.read_line(&mut line).unwrap_or_else(|error| panic!("waiting for PostgreSQL: {error}"));
        assert!(line.starts_with("ready "), "PostgreSQL does not start again:\n{line}");
    }
}

/// Returns the folder with PostgreSQL's programs: the one in PATH, or else the newest version that Debian installed.
fn find_programs() -> Option<PathBuf> {
    let has_both = |folder: &Path| folder.join("initdb").is_file() && folder.join("postgres").is_file();
    let path = std::env::var_os("PATH").unwrap_or_default();
    if let Some(found) = std::env::split_paths(&path).find(|folder| has_both(folder)) {
        return Some(found);
    }
    let installed = std::fs::read_dir("/usr/lib/postgresql").ok()?;
    installed
        .filter_map(|version| Some(version.ok()?.path()))
        .filter(|version| has_both(&version.join("bin")))
        .max_by_key(|version| version.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok()))
        .map(|version| version.join("bin"))
}

/// Returns the user and group to run PostgreSQL as, if the test runs as root: PostgreSQL refuses to run as root.
fn unprivileged() -> Option<(u32, u32)> {
    if id(&["-u"]) != Some(0) {
        return None;
    }
    ["postgres", "nobody"].into_iter().find_map(|user| Some((id(&["-u", user])?, id(&["-g", user])?)))
}

fn id(arguments: &[&str]) -> Option<u32> {
    let output = Command::new("id").args(arguments).stderr(Stdio::null()).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
