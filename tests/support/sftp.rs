//! A real SFTP server for a test: OpenSSH, run by the same user as the test, on a port of 127.0.0.1, with new keys. It
//! ends with the test. Without OpenSSH, the test fails and says which package to install.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub struct Sftp {
    pub folder: PathBuf,
    pub port: u16,
    pub user: String,
    server: Child,
}

impl Sftp {
    /// Starts a server with its keys and its log in `folder`.
    pub fn start(folder: &Path) -> Sftp {
        let sshd = "/usr/sbin/sshd";
        assert!(Path::new(sshd).exists(), "no {sshd}: apt-get install openssh-server");
        // sshd needs this folder if it runs as root, and only then.
        let _ = fs::create_dir_all("/run/sshd");
        let folder = folder.join("sftp");
        fs::create_dir_all(&folder).unwrap();
        for key in ["host", "client", "stranger"] {
            let made =
                Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(folder.join(key)).status();
            assert!(made.expect("no ssh-keygen: apt-get install openssh-client").success());
        }
        fs::copy(folder.join("client.pub"), folder.join("authorized_keys")).unwrap();
        let port = free_port();
        let here = folder.display();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {here}/host\nAuthorizedKeysFile {here}/authorized_keys\n\
             PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nSubsystem sftp internal-sftp\n"
        );
        fs::write(folder.join("sshd_config"), config).unwrap();
        let host = fs::read_to_string(folder.join("host.pub")).unwrap();
        fs::write(folder.join("known_hosts"), format!("[127.0.0.1]:{port} {host}")).unwrap();
        let mut command = Command::new(sshd);
        command.arg("-D").arg("-e").arg("-f").arg(folder.join("sshd_config")).stdin(Stdio::null());
        command.stderr(fs::File::create(folder.join("log")).unwrap());
        let server = command.spawn().unwrap();
        let user = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap().trim().to_owned();
        let sftp = Sftp { folder, port, user, server };
        wait_for(port, || fs::read_to_string(sftp.folder.join("log")).unwrap_or_default());
        sftp
    }

    pub fn url(&self) -> String {
        format!("sftp://{}@127.0.0.1:{}", self.user, self.port)
    }

    /// Returns the configuration table for the server, with one of the client keys.
    pub fn table(&self, key: &str) -> String {
        let here = self.folder.display();
        format!(
            "[[place]]\nurl = \"{}\"\nkey_file = \"{here}/{key}\"\nknown_hosts_file = \"{here}/known_hosts\"\n",
            self.url()
        )
    }
}

impl Drop for Sftp {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Waits until a server listens on a port.
pub fn wait_for(port: u16, log: impl Fn() -> String) {
    let until = Instant::now() + Duration::from_secs(60);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < until, "no server on port {port}:\n{}", log());
        std::thread::sleep(Duration::from_millis(50));
    }
}
