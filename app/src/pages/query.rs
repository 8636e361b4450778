//! A search through the whole pipeline: sent as anybody's would be, with what the cache and the limit said.

use std::sync::Arc;

use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::components::{Card, Pill, Table, cell, holding, numbered, row};
use crate::format;
use crate::live::http::{self, Answer};
use crate::live::use_live;
use crate::settled::{Settled, settle};
use crate::signals::{aria, flag, text};

/// What the page begins with.
const EXAMPLE: &str = "{\n  \"query\": { \"match_all\": {} },\n  \"size\": 5\n}";
/// The latest searches that are listed.
const LISTED: usize = 10;
/// Longer answers are shown in part: a browser that lays out megabytes of text stands still.
const SHOWN: usize = 100_000;

/// A search that is over.
#[derive(Clone, Debug, Default, PartialEq)]
struct Run {
    /// What was asked.
    query: String,
    at_ms: u64,
    took_ms: u64,
    /// None if nobody answered.
    answer: Option<Answer>,
}

/// The query page.
pub fn page() -> Settled {
    let query = RwSignal::new(EXAMPLE.to_owned());
    let under_way = RwSignal::new(false);
    // The latest first.
    let runs = RwSignal::new(Vec::<Run>::new());
    let send = move || {
        if under_way.get_untracked() {
            return;
        }
        under_way.set(true);
        spawn_local(async move {
            let (at_ms, from) = (now_ms(), moment_ms());
            let asked = query.get_untracked();
            let answer = http::fetch("POST", "/api/fetch-kibana-data", Some(asked.clone())).await;
            let took_ms = format::whole(moment_ms() - from);
            // In a page that is gone there is nothing to show it.
            let _ = under_way.try_set(false);
            let _ = runs.try_update(|runs| {
                runs.insert(0, Run { query: asked, at_ms, took_ms, answer });
                runs.truncate(LISTED);
            });
        });
    };
    let count = move || runs.with(Vec::len);
    let latest = move |read: fn(&Run) -> String| {
        text(move || runs.with(|runs| runs.first().map(read)).unwrap_or_default())
    };
    let pill = settle(view! {
        <span hidden=flag(move || count() == 0)>
            <Pill tone=latest(|run| standing(run).0.to_owned()) word=latest(|run| standing(run).1)/>
        </span>
    });
    settle(view! {
        <p class="lead">
            "A search as a client would send it: through limits, cache, breaker and retries to the upstream that is named search. "
            "It counts against your own limit."
        </p>
        <div class="pair">
            <Card id="query" title="Search" class="acts">{settle(view! {
                <form onsubmit="return false">
                    <textarea rows="12" spellcheck="false" aria-label="Body of the search, JSON" data-testid="query-body"
                        prop:value=query on:input=move |event| query.set(event_target_value(&event))
                        on:keydown=move |event| if event.key() == "Enter" && (event.ctrl_key() || event.meta_key()) { send() }>
                        {EXAMPLE}
                    </textarea>
                    <div class="actions">
                        <button type="submit" class="primary" data-testid="query-send" aria-disabled=aria(move || under_way.get()) on:click=move |_| send()>
                            {text(move || if under_way.get() { "Searching…" } else { "Search" }.to_owned())}
                        </button>
                        <span class="muted">"or Ctrl Enter"</span>
                    </div>
                </form>
            })}</Card>
            <Card id="runs" title="Latest searches" class="acts">{settle(view! {
                <p class="muted" hidden=flag(move || count() > 0)>"None yet on this page."</p>
                <Table head=&HEAD hidden=flag(move || count() == 0) each=Arc::new(move || numbered(0..count())) row=Arc::new(move |at| listed(runs, at))/>
            })}</Card>
        </div>
        <Card id="answer" title="Answer" class="acts" aside=pill note=latest(note)>{settle(view! {
            <p class="muted" hidden=flag(move || count() > 0)>"Send the search above, and what comes back is shown here."</p>
            <pre class="answer" tabindex="0" aria-label="The answer" data-testid="query-answer" hidden=flag(move || count() == 0)>{latest(shown)}</pre>
        })}</Card>
    })
}

const HEAD: [(&str, &str); 6] = [
    ("", "At"),
    ("half", "Search"),
    ("", "Answer"),
    ("", "Cache"),
    ("num", "Took"),
    ("num wide", "Limit left"),
];

fn listed(runs: RwSignal<Vec<Run>>, at: usize) -> Settled {
    let live = use_live();
    let of = move |read: fn(&Run) -> String| {
        text(move || runs.with(|runs| runs.get(at).map(read)).unwrap_or_default())
    };
    let when = text(move || {
        let at_ms = runs.with(|runs| runs.get(at).map(|run| run.at_ms)).unwrap_or_default();
        format::clock(at_ms, live.zone())
    });
    let pill =
        settle(view! { <Pill tone=of(|run| standing(run).0.to_owned()) word=of(|run| standing(run).1)/> });
    row(
        text(|| "run".to_owned()),
        vec![
            cell("", when),
            cell("mono cut whole", of(|run| run.query.split_whitespace().collect::<Vec<_>>().join(" "))),
            holding("", pill),
            cell("", of(cache)),
            cell("num", of(|run| took(run.took_ms))),
            cell("num wide muted", of(left)),
        ],
    )
}

/// How it ended: tone and words.
fn standing(run: &Run) -> (&'static str, String) {
    match &run.answer {
        None => ("bad", "no answer".to_owned()),
        Some(answer) => match answer.status {
            200..300 => ("ok", answer.status.to_string()),
            429 => ("warn", "429 limited".to_owned()),
            status => ("bad", status.to_string()),
        },
    }
}

/// What the cache had to do with it.
fn cache(run: &Run) -> String {
    let Some(answer) = &run.answer else { return String::new() };
    let old = if answer.age.is_empty() { String::new() } else { format!(", {} s old", answer.age) };
    match answer.cache.as_str() {
        "HIT" => format!("hit{old}"),
        "STALE" => format!("stale{old}"),
        "COALESCED" => "shared with another's".to_owned(),
        "MISS" => "miss".to_owned(),
        _ => "not asked".to_owned(),
    }
}

fn took(ms: u64) -> String {
    format!("{} ms", format::count(ms))
}

/// `9 of 10`, or when there will be more.
fn left(run: &Run) -> String {
    match &run.answer {
        Some(answer) if answer.status == 429 => format!("more in {} s", answer.retry_after),
        Some(answer) if answer.limit.is_empty() => String::new(),
        Some(answer) => format!("{} of {}", answer.remaining, answer.limit),
        None => String::new(),
    }
}

fn note(run: &Run) -> String {
    match &run.answer {
        Some(_) => format!("{}, cache: {}", took(run.took_ms), cache(run)),
        None => String::new(),
    }
}

fn shown(run: &Run) -> String {
    let Some(answer) = &run.answer else { return http::UNANSWERED.to_owned() };
    if answer.text.is_empty() {
        return "(an answer without content)".to_owned();
    }
    let mut text = pretty(&answer.text);
    if text.len() > SHOWN {
        let end = (0..=SHOWN).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        let size = format::bytes(format_len(&answer.text));
        text.push_str(&format!("\n… the beginning only, of {size}"));
    }
    text
}

fn format_len(text: &str) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
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

#[cfg(feature = "hydrate")]
use crate::live::now_ms;

/// The server sends no searches.
#[cfg(not(feature = "hydrate"))]
fn now_ms() -> u64 {
    0
}

/// For durations: not set back when the clock is.
#[cfg(feature = "hydrate")]
fn moment_ms() -> f64 {
    leptos::prelude::window().performance().map_or(0.0, |performance| performance.now())
}

#[cfg(not(feature = "hydrate"))]
fn moment_ms() -> f64 {
    0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(answer: Answer) -> Run {
        Run { query: String::new(), at_ms: 0, took_ms: 1_200, answer: Some(answer) }
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
}
