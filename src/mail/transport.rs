//! Sends mail to a server or into a folder, or keeps it in memory.
//!
//! An error says whether another attempt may help. This module keeps no record and never retries: while a server has not
//! confirmed a message, only the caller's record shows that the mail may have been sent.

use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::compose::Mail;
pub use super::send_error::SendError;
pub use super::smtp::{Smtp, SmtpUrlError};

#[derive(Debug)]
pub enum Transport {
    /// Writes one `{message_id}.eml` per mail: for samples, rehearsals, and programs that collect mail from a folder.
    Folder(PathBuf),
    Smtp(Smtp),
    /// Keeps sent mails, for tests.
    Memory(Memory),
}

impl Transport {
    pub async fn send(&self, mail: &Mail) -> Result<(), SendError> {
        match self {
            Transport::Folder(folder) => {
                let (folder, name, bytes) = (folder.clone(), format!("{}.eml", mail.message_id), mail.bytes());
                // File access blocks, and a slow disk must not delay mails on the network.
                let written = tokio::task::spawn_blocking(move || write_file(&folder, &name, &bytes)).await;
                match written {
                    Ok(Ok(())) => Ok(()),
                    Ok(Err(error)) => Err(SendError::Transient(format!("cannot write the mail's file: {error}"))),
                    Err(_) => Err(SendError::Transient("writing the mail's file was interrupted".into())),
                }
            }
            Transport::Smtp(smtp) => smtp.send(mail).await,
            Transport::Memory(memory) => {
                memory.0.lock().expect("no holder of the lock can panic").push(mail.clone());
                Ok(())
            }
        }
    }

    /// How many mails can be in transit at once; `None` if sending a mail again does no harm.
    pub fn places(&self) -> Option<usize> {
        match self {
            Transport::Smtp(smtp) => Some(smtp.connections),
            Transport::Folder(_) | Transport::Memory(_) => None,
        }
    }

    /// Closes idle connections. Mail can still be sent afterwards.
    pub async fn close(&self) {
        if let Transport::Smtp(smtp) = self {
            smtp.close().await;
        }
    }
}

/// The mails sent so far, oldest first. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Memory(Arc<Mutex<Vec<Mail>>>);

impl Memory {
    pub fn mails(&self) -> Vec<Mail> {
        self.0.lock().expect("no holder of the lock can panic").clone()
    }
}

/// Writes a file atomically. A mail that is sent again replaces its file.
fn write_file(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    // Mails have names and addresses: the folder is the owner's, whatever the umask.
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let part = folder.join(format!(".{name}.part"));
    let mut file = std::fs::File::create(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&part, folder.join(name))?;
    // Without syncing the folder, a power failure could lose the new name.
    std::fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::compose::tests::mail_to;

    #[tokio::test]
    async fn a_folder_holds_each_mail_once() {
        let folder = tempfile::tempdir().unwrap();
        let transport = Transport::Folder(folder.path().join("outbox"));
        let (first, second) = (mail_to("A", "a@example.org"), mail_to("B", "b@example.org"));
        transport.send(&first).await.unwrap();
        transport.send(&second).await.unwrap();
        let files: Vec<_> =
            std::fs::read_dir(folder.path().join("outbox")).unwrap().map(|e| e.unwrap().path()).collect();
        assert_eq!(files, [folder.path().join("outbox").join(format!("{}.eml", first.message_id))]);
        assert_eq!(std::fs::read(&files[0]).unwrap(), second.bytes(), "the same message id replaces the file");
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_written_is_worth_another_try() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Transport::Folder(file.path().into()).send(&mail_to("A", "a@example.org")).await.unwrap_err();
        assert!(matches!(&error, SendError::Transient(_)), "{error:?}");
    }

    #[tokio::test]
    async fn memory_keeps_what_was_sent() {
        let memory = Memory::default();
        let mail = mail_to("Ann", "ann@example.org");
        let transport = Transport::Memory(memory.clone());
        transport.send(&mail).await.unwrap();
        transport.close().await;
        assert_eq!(memory.mails().len(), 1);
        assert_eq!(memory.mails()[0].bytes(), mail.bytes());
        assert!(!format!("{transport:?} {mail:?}").contains("nn"));
    }
}
