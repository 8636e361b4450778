//! `[console.auth]`: who has to log in at the console, and for how long that holds.

use std::path::PathBuf;
use std::time::Duration;

use super::file::flag;
use super::read::{Kind, Problems, Table, duration, parsed};

const SHORTEST: Duration = Duration::from_mins(1);
const LONGEST: Duration = Duration::from_hours(24 * 90);
/// Variables with this prefix hold secrets; no other is read for one.
const VARIABLE: &str = "RAD_SECRET_";
const MAX_NAME: usize = 64;
/// Who does what the program does by itself, in feeds and histories: no account may pass for one of these.
const TAKEN: [&str; 8] =
    ["api", "client", "configuration", "console", "gateway", "limits", "schedule", "verdict"];

/// How the console's login works; without it nobody has to log in.
#[derive(Clone, Debug)]
pub struct AuthSettings {
    /// The name of the account that the first start makes.
    pub administrator: String,
    /// Its password; one is made up if absent.
    pub password: Option<Secret>,
    /// A session ends so long after its login,
    pub session: Duration,
    /// and so long after it was last used.
    pub idle: Duration,
    /// Whether browsers send the cookie over TLS only.
    pub secure_cookies: bool,
}

/// Where a secret is. Not shown to anybody, but its place may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret {
    Variable(String),
    File(PathBuf),
}

/// Why a secret cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("the variable {0} is not set")]
    Unset(String),
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
}

impl Secret {
    /// The secret itself. Of a file, the line's end does not belong to it.
    ///
    /// # Errors
    /// If there is none in its place.
    pub fn read(&self) -> Result<String, SecretError> {
        match self {
            Self::Variable(name) => std::env::var(name).map_err(|_| SecretError::Unset(name.clone())),
            Self::File(path) => {
                let unreadable = |source| SecretError::Unreadable { path: path.clone(), source };
                let text = std::fs::read_to_string(path).map_err(unreadable)?;
                Ok(text.trim_end_matches(['\r', '\n']).to_owned())
            }
        }
    }

    fn named(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("env", name) if name.len() > VARIABLE.len() && name.starts_with(VARIABLE) => {
                Some(Self::Variable(name.to_owned()))
            }
            ("file", path) if !path.is_empty() => Some(Self::File(PathBuf::from(path))),
            _ => None,
        }
    }
}

/// The table as it is written.
#[derive(Debug)]
pub struct Auth {
    administrator: String,
    password: Option<Secret>,
    session: Duration,
    idle: Option<Duration>,
    secure_cookies: Option<bool>,
}

impl Auth {
    pub fn read(table: &mut Table<'_>) -> Self {
        let life = duration(SHORTEST..=LONGEST);
        let how = "write where it is: \"env:RAD_SECRET_NAME\" or \"file:PATH\"";
        Self {
            administrator: table.value("administrator", &account()).unwrap_or_else(|| "admin".to_owned()),
            // Who writes the password itself here need not read it in an error, too.
            password: table.value("password", &parsed("the place of a secret", how, Secret::named).hidden()),
            session: table.value("session", &life).unwrap_or(Duration::from_hours(12)),
            idle: table.value("idle", &life),
            secure_cookies: table.value("secure_cookies", &flag()),
        }
    }

    /// What the keys mean together; `is_local`: the console listens on loopback.
    pub fn check(self, is_local: bool, problems: &mut Problems) -> AuthSettings {
        let Self { administrator, password, session, idle, secure_cookies } = self;
        if idle.is_some_and(|idle| idle > session) {
            problems.add(
                "console.auth.idle",
                "is longer than console.auth.session, after which a login is over in any case",
            );
        }
        AuthSettings {
            administrator,
            password,
            session,
            idle: idle.unwrap_or(Duration::from_hours(1)).min(session),
            secure_cookies: secure_cookies.unwrap_or(!is_local),
        }
    }
}

/// Whether a text can name an account: it stands in paths, logs and feeds as it is.
#[must_use]
pub fn is_account_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.' | '@');
    (1..=MAX_NAME).contains(&name.len())
        && name.chars().all(fits)
        && name.contains(|c: char| c != '.')
        && !TAKEN.contains(&name)
}

/// What a name of an account may be.
pub const ACCOUNT_NAME: &str = "1 to 64 small letters, digits, '-', '_', '.' or '@', and nothing that stands for the \
                                program itself, such as console or verdict";

fn account() -> Kind<String> {
    parsed("the name of an account", format!("allowed: {ACCOUNT_NAME}"), |text| {
        is_account_name(text).then(|| text.to_owned())
    })
}

/// The names by which the console is reached, beside those of loopback.
pub fn host() -> Kind<String> {
    let how = "write it without scheme and port, such as \"console.example.com\"";
    parsed("the name of a host", how, |text| {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        (!text.is_empty() && text.len() <= 253 && text.chars().all(fits)).then(|| text.to_ascii_lowercase())
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Overlay, Settings};
    use super::*;

    fn parse(text: &str) -> Result<Settings, String> {
        Settings::parse(text, "test.toml", &Overlay::default()).map_err(|error| error.to_string())
    }

    #[test]
    fn without_the_table_nobody_logs_in_and_with_it_everybody() {
        assert!(parse("").unwrap().auth.is_none());
        let auth = parse("[console.auth]").unwrap().auth.unwrap();
        assert_eq!((auth.administrator.as_str(), auth.password), ("admin", None));
        assert_eq!((auth.session, auth.idle), (Duration::from_hours(12), Duration::from_hours(1)));
        assert!(!auth.secure_cookies, "on loopback there is no TLS");
    }

    #[test]
    fn outside_loopback_the_table_is_what_lets_it_start_and_its_cookies_are_secure() {
        let error = parse("[console]\nlisten = \"0.0.0.0:8000\"").unwrap_err();
        assert!(error.contains("console.listen") && error.contains("[console.auth]"), "{error}");
        let settings = parse("[console]\nlisten = \"0.0.0.0:8000\"\n[console.auth]").unwrap();
        assert!(settings.auth.unwrap().secure_cookies);
        let plain = "[console]\nlisten = \"0.0.0.0:8000\"\n[console.auth]\nsecure_cookies = false";
        assert!(!parse(plain).unwrap().auth.unwrap().secure_cookies);
    }

    #[test]
    fn a_password_is_named_by_its_place_and_never_repeated() {
        for (text, place) in [
            ("env:RAD_SECRET_CONSOLE", Secret::Variable("RAD_SECRET_CONSOLE".to_owned())),
            ("file:/run/secrets/console", Secret::File(PathBuf::from("/run/secrets/console"))),
        ] {
            let auth = parse(&format!("[console.auth]\npassword = \"{text}\"")).unwrap().auth.unwrap();
            assert_eq!(auth.password, Some(place));
        }
        for text in ["hunter2-hunter2", "env:HOME", "env:RAD_SECRET_", "file:", "hunter2:x"] {
            let error = parse(&format!("[console.auth]\npassword = \"{text}\"")).unwrap_err();
            assert!(error.contains("env:RAD_SECRET_NAME") && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_secret_in_a_file_ends_where_its_line_does() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, " correct horse \r\n").unwrap();
        assert_eq!(Secret::File(path).read().unwrap(), " correct horse ");
        let missing = Secret::File(folder.path().join("missing")).read().unwrap_err();
        assert!(missing.to_string().contains("missing"), "{missing}");
    }

    #[test]
    fn what_is_wrong_is_told_with_what_is_allowed() {
        for (text, says) in [
            ("administrator = \"Ada Lovelace\"", "allowed: 1 to 64 small letters"),
            ("administrator = \"..\"", "allowed: 1 to 64 small letters"),
            ("administrator = \"verdict\"", "such as console or verdict"),
            ("session = \"10s\"", "allowed 1m to"),
            ("session = \"1h\"\nidle = \"2h\"", "is longer than console.auth.session"),
            ("sesion = \"1h\"", "did you mean session?"),
        ] {
            let error = parse(&format!("[console.auth]\n{text}")).unwrap_err();
            assert!(error.contains(says), "{says:?} is missing in:\n{error}");
        }
        // A session shorter than the usual idle time is no mistake.
        let auth = parse("[console.auth]\nsession = \"10m\"").unwrap().auth.unwrap();
        assert_eq!(auth.idle, Duration::from_mins(10));
        let error = parse("[console]\nhosts = [\"https://console.example\"]").unwrap_err();
        assert!(error.contains("console.hosts[0]") && error.contains("without scheme"), "{error}");
    }
}
