//! A search that is over: what was asked, what came back, and how that is told.

use serde::{Deserialize, Serialize};

use crate::format;
use crate::live::http::{self, Answer};

/// Longer answers are shown in part: a browser that lays out megabytes of text stands still.
pub const SHOWN: usize = 100_000;

/// A search that is over.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// What was asked.
    pub query: String,
    pub at_ms: u64,
    pub took_ms: u64,
    /// How long the answer's text was before it was cut off, in bytes.
    pub size: u64,
    /// None if nobody answered; with the status 0 if it was called off.
    pub answer: Option<Answer>,
}

impl Run {
    /// Keeps of an answer what can be shown.
    pub fn new(query: String, at_ms: u64, took_ms: u64, mut answer: Option<Answer>) -> Self {
        let mut size = 0;
        if let Some(Answer { text, .. }) = &mut answer {
            size = bytes(text.len());
            cut(text);
        }
        Self { query, at_ms, took_ms, size, answer }
    }
}

/// What takes the place of an answer that nobody waits for any more.
pub fn called_off() -> Answer {
    let text = "Cancelled. The search may have reached the upstream all the same.".to_owned();
    Answer { text, ..Answer::default() }
}

fn bytes(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn cut(text: &mut String) {
    let end = (0..=SHOWN).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.truncate(end);
}

/// How it ended: tone and words.
pub fn standing(run: &Run) -> (&'static str, String) {
    match &run.answer {
        None => ("bad", "no answer".to_owned()),
        Some(answer) => match answer.status {
            200..300 => ("ok", answer.status.to_string()),
            0 => ("off", "cancelled".to_owned()),
            429 => ("warn", "429 limited".to_owned()),
            status => ("bad", status.to_string()),
        },
    }
}

/// What the cache had to do with it.
pub fn cache(run: &Run) -> String {
    let Some(answer) = run.answer.as_ref().filter(|answer| answer.status > 0) else { return String::new() };
    let old = if answer.age.is_empty() { String::new() } else { format!(", {} s old", answer.age) };
    match answer.cache.as_str() {
        "HIT" => format!("hit{old}"),
        "STALE" => format!("stale{old}"),
        "COALESCED" => "shared with another's".to_owned(),
        "MISS" => "miss".to_owned(),
        _ => "not asked".to_owned(),
    }
}

pub fn took(ms: u64) -> String {
    format!("{} ms", format::count(ms))
}

/// `9 of 10`, or when there will be more.
pub fn left(run: &Run) -> String {
    match &run.answer {
        Some(answer) if answer.status == 429 => format!("more in {} s", answer.retry_after),
        Some(answer) if answer.limit.is_empty() => String::new(),
        Some(answer) => format!("{} of {}", answer.remaining, answer.limit),
        None => String::new(),
    }
}

pub fn note(run: &Run) -> String {
    match &run.answer {
        Some(answer) if answer.status > 0 => format!("{}, cache: {}", took(run.took_ms), cache(run)),
        _ => String::new(),
    }
}

pub fn shown(run: &Run) -> String {
    let Some(answer) = &run.answer else { return http::UNANSWERED.to_owned() };
    if answer.text.is_empty() {
        return "(an answer without content)".to_owned();
    }
    let mut text = pretty(&answer.text);
    if text.len() > SHOWN || run.size > bytes(SHOWN) {
        cut(&mut text);
        text.push_str(&format!("\n… the beginning only, of {}", format::bytes(run.size)));
    }
    text
}

/// JSON with a line for each member, letter for letter as it came: numbers of more digits than JavaScript holds
/// stay what they are. What is no JSON stays as it is.
fn pretty(text: &str) -> String {
    if !text.trim_start().starts_with(['{', '[']) {
        return text.to_owned();
    }
    let mut pretty = String::with_capacity(text.len() * 2);
    let (mut depth, mut is_text, mut is_escaped) = (0_usize, false, false);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if is_text {
            pretty.push(letter);
            is_text = is_escaped || letter != '"';
            is_escaped = !is_escaped && letter == '\\';
            continue;
        }
        match letter {
            ' ' | '\n' | '\r' | '\t' => {}
            '{' | '[' => {
                pretty.push(letter);
                while letters.next_if(|next| next.is_ascii_whitespace()).is_some() {}
                match letters.next_if(|next| matches!(next, '}' | ']')) {
                    Some(end) => pretty.push(end),
                    None => {
                        depth += 1;
                        new_line(&mut pretty, depth);
                    }
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut pretty, depth);
                pretty.push(letter);
            }
            ',' => {
                pretty.push(letter);
                new_line(&mut pretty, depth);
            }
            ':' => pretty.push_str(": "),
            letter => {
                is_text = letter == '"';
                pretty.push(letter);
            }
        }
        if pretty.len() > SHOWN + 4 {
            break;
        }
    }
    pretty
}

fn new_line(text: &mut String, depth: usize) {
    text.push('\n');
    // Deeper than anybody reads.
    for _ in 0..depth.min(40) {
        text.push_str("  ");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(answer: Answer) -> Run {
        Run::new(String::new(), 0, 1_200, Some(answer))
    }

    #[test]
    fn a_run_says_what_the_cache_and_the_limit_had_to_do_with_it() {
        let hit = run(Answer {
            status: 200,
            cache: "HIT".to_owned(),
            age: "7".to_owned(),
            limit: "10".to_owned(),
            remaining: "9".to_owned(),
            ..Answer::default()
        });
        assert_eq!(note(&hit), "1,200 ms, cache: hit, 7 s old");
        assert_eq!((standing(&hit), left(&hit).as_str()), (("ok", "200".to_owned()), "9 of 10"));
        let limited = run(Answer {
            status: 429,
            limit: "10".to_owned(),
            remaining: "0".to_owned(),
            retry_after: "6".to_owned(),
            ..Answer::default()
        });
        assert_eq!((cache(&limited).as_str(), left(&limited).as_str()), ("not asked", "more in 6 s"));
    }

    #[test]
    fn an_answer_is_indented_and_otherwise_letter_for_letter_as_it_came() {
        let written = r#"{"id":12345678901234567890,"x":1.0, "a":[],"b":[1,{"t":"a\"{,:}\\"}]}"#;
        let shown = "{\n  \"id\": 12345678901234567890,\n  \"x\": 1.0,\n  \"a\": [],\n  \"b\": [\n    1,\n    {\n      \
                     \"t\": \"a\\\"{,:}\\\\\"\n    }\n  ]\n}";
        assert_eq!(pretty(written), shown);
        assert_eq!(pretty("<b>no JSON: {</b>"), "<b>no JSON: {</b>");
    }

    #[test]
    fn of_a_long_answer_only_the_beginning_is_shown() {
        let long = run(Answer { text: "ä".repeat(SHOWN), ..Answer::default() });
        let text = shown(&long);
        assert!(text.len() <= SHOWN + 40);
        assert!(text.ends_with("… the beginning only, of 200 kB"));
    }
    #[test]
    fn a_search_that_was_called_off_says_nothing_of_the_cache() {
        let off = run(called_off());
        assert_eq!(
            (standing(&off).1.as_str(), cache(&off).as_str(), note(&off).as_str()),
            ("cancelled", "", "")
        );
    }

    #[test]
    fn what_is_kept_of_searches_is_read_again() {
        let runs = vec![
            run(Answer { status: 200, text: "{\"a\":\"\\n\"}".to_owned(), ..Answer::default() }),
            Run::default(),
        ];
        let written = serde_json::to_string(&runs).unwrap();
        assert_eq!(crate::json::read::<Vec<Run>>(&written), Ok(runs));
    }
}
