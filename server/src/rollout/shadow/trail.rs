//! Where in a document something is, in words that tell the shape of documents and nothing of what is in them.

/// A path longer than this is cut off, bytes.
const MAX_LENGTH: usize = 200;
/// A member's name longer than this is taken for data.
const MAX_NAME: usize = 48;
/// A name with so many digits is a number, a date or an identifier: data.
const MANY_DIGITS: usize = 5;
/// An object with more members than this is a table whose keys are data.
const MAX_MEMBERS: usize = 100;
/// What stands for an index, and for a name that is data.
const ANY: &str = "*";
/// What stands for the rest of a path that is too long.
const CUT: char = '…';

/// The way from the root to where a walk is: `$.hits.*.score`.
#[derive(Debug)]
pub struct Trail {
    text: String,
    /// Where to cut it off to go back.
    steps: Vec<usize>,
}

impl Trail {
    pub fn root() -> Self {
        Self { text: "$".to_owned(), steps: Vec::new() }
    }

    /// Into an item of a list: which one is not told.
    pub fn item(&mut self) {
        self.step(ANY);
    }

    /// Into a member of an object with so many of them.
    pub fn member(&mut self, name: &str, of: usize) {
        self.step(if of <= MAX_MEMBERS && is_name(name) { name } else { ANY });
    }

    fn step(&mut self, to: &str) {
        self.steps.push(self.text.len());
        if self.text.len() + to.len() < MAX_LENGTH {
            self.text.push('.');
            self.text.push_str(to);
        } else if !self.text.ends_with(CUT) {
            self.text.push(CUT);
        }
    }

    /// One step back.
    pub fn back(&mut self) {
        self.text.truncate(self.steps.pop().unwrap_or(1));
    }

    pub fn text(&self) -> &str {
        &self.text
    }
}

/// Whether a member's name is one that somebody wrote into a program, as far as can be seen from it: what looks like
/// data (an address, a date, an identifier) must not be shown, and there may be any number of it.
fn is_name(name: &str) -> bool {
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '$' | '@'));
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '$');
    begins
        && name.len() <= MAX_NAME
        && name.chars().skip(1).all(fits)
        && name.bytes().filter(u8::is_ascii_digit).count() < MANY_DIGITS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(steps: &[&str]) -> String {
        let mut trail = Trail::root();
        for step in steps {
            trail.member(step, 1);
        }
        trail.text().to_owned()
    }

    #[test]
    fn names_are_told_and_what_looks_like_data_is_not() {
        assert_eq!(told(&["hits", "_score"]), "$.hits._score");
        for name in ["@timestamp", "$ref", "http.status_code", "x-y:z", "sha256", "utf8"] {
            assert_eq!(told(&[name]), format!("$.{name}"));
        }
        for data in
            ["ada@example.com", "2026-01-01", "7", "", "node 4", "Zoë", "u_00042", "a/b", &"n".repeat(49)]
        {
            assert_eq!(told(&[data]), "$.*", "{data:?}");
        }
    }

    #[test]
    fn the_keys_of_a_large_table_are_data() {
        let mut trail = Trail::root();
        trail.member("ada", MAX_MEMBERS + 1);
        assert_eq!(trail.text(), "$.*");
    }

    #[test]
    fn a_walk_comes_back_to_where_it_was_however_deep_it_went() {
        let mut trail = Trail::root();
        for _ in 0..1_000 {
            trail.member("a-rather-long-name", 1);
        }
        assert!(trail.text().len() <= MAX_LENGTH + CUT.len_utf8() && trail.text().ends_with(CUT));
        for _ in 0..999 {
            trail.back();
        }
        assert_eq!(trail.text(), "$.a-rather-long-name");
        trail.item();
        assert_eq!(trail.text(), "$.a-rather-long-name.*");
        (0..3).for_each(|_| trail.back());
        assert_eq!(trail.text(), "$");
    }
}
