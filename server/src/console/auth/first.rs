//! The first administrator: made at the first start, since somebody has to let the others in.
//!
//! Its password comes from where the configuration says, or is drawn at random. A random one is left in a file
//! that only this program's user can read, is told by the file's name and nowhere else, and is good for one
//! thing: choosing another.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::role::Role;
use super::secret::Secret;
use super::{Auth, AuthError, password};
use crate::config::AuthSettings;
use crate::storage::{Storage, StoredAccount};
use crate::telemetry::log::{Level, Line, Value};

/// Where the first password is: beside the database.
pub fn file(database: &Path) -> PathBuf {
    let mut name = database.file_name().unwrap_or_default().to_owned();
    name.push(".initial-password");
    database.with_file_name(name)
}

/// Makes the first administrator, unless there is one.
///
/// # Errors
/// If there is no password to give, or nowhere to put it.
pub fn administrator(
    settings: &AuthSettings,
    storage: &Storage,
    file: &Path,
    now_ms: u64,
) -> Result<(), AuthError> {
    if storage.accounts()?.iter().any(|account| account.role == Role::Admin.word()) {
        return Ok(());
    }
    let name = &settings.administrator;
    let chosen = settings.password.as_ref().map(|place| place.read()).transpose()?;
    let must_change = chosen.is_none();
    let secret = match chosen {
        Some(chosen) => {
            password::check(&chosen, name).map_err(AuthError::Weak)?;
            chosen
        }
        None => {
            let drawn = Secret::password()?;
            // Before the account: one whose password nobody can read would lock everybody out.
            leave(file, &drawn)
                .map_err(|source| AuthError::FirstPassword { path: file.to_owned(), source })?;
            drawn.reveal().to_owned()
        }
    };
    storage.save_account(&StoredAccount {
        name: name.clone(),
        role: Role::Admin.word().to_owned(),
        password: password::hash(&secret)?,
        must_change,
        created_ms: now_ms,
    })?;
    Ok(())
}

/// Writes a new file: what was there, or what somebody else put there, is not written into.
fn leave(file: &Path, secret: &Secret) -> std::io::Result<()> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    writeln!(file, "{}", secret.reveal())?;
    file.sync_all()
}

impl Auth {
    /// Says where the first password is, for as long as it has not been changed.
    pub(super) fn tell_of_first_password(&self) {
        let waits = self.state().accounts.get(&self.administrator).is_some_and(|account| account.must_change);
        if !waits || !self.first_password.exists() {
            return;
        }
        let file = self.first_password.display();
        let fields = [("administrator", Value::Text(&self.administrator)), ("file", Value::Display(&file))];
        self.log.line(&Line { level: Level::Warn, event: "initial_password", fields: &fields });
        // In one piece, so that nothing of others comes between.
        let says = format!(
            "rad-monitor: the password of {} for the first login is in {file}; it must be changed then\n",
            self.administrator
        );
        let _ = std::io::stderr().write_all(says.as_bytes());
    }

    /// Takes the file of the first password away; it is of no use any more.
    pub(super) fn forget_first_password(&self, account: &str) {
        if account == self.administrator {
            let _ = std::fs::remove_file(&self.first_password);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn settings(password: Option<&Path>) -> AuthSettings {
        let place = password.map_or(String::new(), |path| format!("password = \"file:{}\"", path.display()));
        let text = format!("[console.auth]\nadministrator = \"ops\"\n{place}");
        crate::config::Settings::parse(&text, "test.toml", &crate::config::Overlay::default())
            .unwrap()
            .auth
            .unwrap()
    }

    #[test]
    fn its_password_is_in_a_file_that_nobody_else_reads() {
        let folder = tempfile::tempdir().unwrap();
        let file = file(&folder.path().join("state.db"));
        assert!(file.ends_with("state.db.initial-password"));
        // Somebody was here before, and would like to read along.
        std::fs::write(&file, "").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).unwrap();
        let storage = Storage::open(Path::new(":memory:")).unwrap();
        administrator(&settings(None), &storage, &file, 17).unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let account = &storage.accounts().unwrap()[0];
        assert_eq!(
            (account.name.as_str(), account.role.as_str(), account.must_change),
            ("ops", "admin", true)
        );
        let password = std::fs::read_to_string(&file).unwrap();
        assert!(password.trim_end().len() >= 24 && !account.password.contains(password.trim_end()));
    }

    #[test]
    fn where_there_is_one_no_other_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let file = file(&folder.path().join("state.db"));
        let storage = Storage::open(Path::new(":memory:")).unwrap();
        administrator(&settings(None), &storage, &file, 17).unwrap();
        let before = storage.accounts().unwrap();
        std::fs::remove_file(&file).unwrap();
        administrator(&settings(None), &storage, &file, 18).unwrap();
        assert_eq!(storage.accounts().unwrap(), before);
        assert!(!file.exists());
    }

    #[test]
    fn a_password_of_the_operators_choice_need_not_be_changed_but_must_be_one() {
        let folder = tempfile::tempdir().unwrap();
        let (file, chosen) = (file(&folder.path().join("state.db")), folder.path().join("chosen"));
        let storage = Storage::open(Path::new(":memory:")).unwrap();
        std::fs::write(&chosen, "short\n").unwrap();
        let weak = administrator(&settings(Some(&chosen)), &storage, &file, 17).unwrap_err().to_string();
        assert!(weak.contains("console.auth.password") && weak.contains("too short"), "{weak}");
        std::fs::write(&chosen, "correct horse battery\n").unwrap();
        administrator(&settings(Some(&chosen)), &storage, &file, 17).unwrap();
        assert!(!storage.accounts().unwrap()[0].must_change);
        assert!(!file.exists());
    }
}
