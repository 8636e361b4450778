//! JSON piece by piece. Nothing here depends on what is read into, so that it is in the bundle once.

use super::Malformed;

/// How deep lists and maps may lie in each other where they are skipped.
const MAX_DEPTH: u32 = 64;

/// The beginning of a value; of a list or a map, what follows is asked for.
#[derive(Debug, PartialEq)]
pub enum Token<'de> {
    Null,
    Bool(bool),
    Number(Number),
    Text(Text<'de>),
    List,
    Map,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    Whole(u64),
    Negative(i64),
    Broken(f64),
}

/// A text; owned if something in it was escaped.
#[derive(Debug, PartialEq)]
pub enum Text<'de> {
    Borrowed(&'de str),
    Owned(String),
}

#[derive(Debug)]
pub struct Tokens<'de> {
    /// What is still to be read.
    rest: &'de str,
}

impl<'de> Tokens<'de> {
    pub const fn new(text: &'de str) -> Self {
        Self { rest: text }
    }

    /// The next token.
    pub fn next(&mut self) -> Result<Token<'de>, Malformed> {
        match self.peek() {
            Some(b'"') => self.text().map(Token::Text),
            Some(b'{') => self.take("{").map(|()| Token::Map),
            Some(b'[') => self.take("[").map(|()| Token::List),
            Some(b't') => self.take("true").map(|()| Token::Bool(true)),
            Some(b'f') => self.take("false").map(|()| Token::Bool(false)),
            Some(b'n') => self.take("null").map(|()| Token::Null),
            _ => self.number().map(Token::Number),
        }
    }

    /// Whether `null` is next; it is taken then.
    pub fn takes_null(&mut self) -> bool {
        self.peek() == Some(b'n') && self.take("null").is_ok()
    }

    /// Goes on to the next element of a list; false at its end.
    pub fn element(&mut self, is_first: bool) -> Result<bool, Malformed> {
        self.goes_on(is_first, "]")
    }

    /// Goes on to the next member of a map and reads its name; none at its end.
    pub fn key(&mut self, is_first: bool) -> Result<Option<Text<'de>>, Malformed> {
        if !self.goes_on(is_first, "}")? {
            return Ok(None);
        }
        self.peek();
        let key = self.text()?;
        self.peek();
        self.take(":")?;
        Ok(Some(key))
    }

    /// Takes the end of a list or a map.
    pub fn close(&mut self, end: &str) -> Result<(), Malformed> {
        self.peek();
        self.take(end)
    }

    /// Leaves out a value.
    pub fn skip(&mut self) -> Result<(), Malformed> {
        self.skip_within(MAX_DEPTH)
    }

    /// Nothing may follow.
    pub fn end(&mut self) -> Result<(), Malformed> {
        if self.peek().is_some() { Err(Malformed) } else { Ok(()) }
    }

    fn skip_within(&mut self, depth: u32) -> Result<(), Malformed> {
        let depth = depth.checked_sub(1).ok_or(Malformed)?;
        let mut is_first = true;
        match self.next()? {
            Token::List => {
                while self.element(is_first)? {
                    self.skip_within(depth)?;
                    is_first = false;
                }
                self.close("]")?;
            }
            Token::Map => {
                while self.key(is_first)?.is_some() {
                    self.skip_within(depth)?;
                    is_first = false;
                }
                self.close("}")?;
            }
            _ => {}
        }
        Ok(())
    }

    fn goes_on(&mut self, is_first: bool, end: &str) -> Result<bool, Malformed> {
        self.peek();
        if self.rest.starts_with(end) {
            return Ok(false);
        }
        if !is_first {
            self.take(",")?;
        }
        Ok(true)
    }

    /// What follows the white space.
    fn peek(&mut self) -> Option<u8> {
        self.rest = self.rest.trim_start_matches([' ', '\n', '\r', '\t']);
        self.rest.bytes().next()
    }

    fn take(&mut self, expected: &str) -> Result<(), Malformed> {
        self.rest = self.rest.strip_prefix(expected).ok_or(Malformed)?;
        Ok(())
    }

    fn text(&mut self) -> Result<Text<'de>, Malformed> {
        self.take("\"")?;
        let mut owned = String::new();
        loop {
            let at = self.rest.find(['"', '\\']).ok_or(Malformed)?;
            let (plain, rest) = self.rest.split_at(at);
            if plain.bytes().any(|byte| byte < 0x20) {
                return Err(Malformed);
            }
            self.rest = rest;
            if self.take("\"").is_ok() {
                if owned.is_empty() {
                    return Ok(Text::Borrowed(plain));
                }
                owned.push_str(plain);
                return Ok(Text::Owned(owned));
            }
            owned.push_str(plain);
            self.take("\\")?;
            owned.push(self.escaped()?);
        }
    }

    /// What is meant by what follows a backslash.
    fn escaped(&mut self) -> Result<char, Malformed> {
        let mut chars = self.rest.chars();
        let meant = match chars.next().ok_or(Malformed)? {
            same @ ('"' | '\\' | '/') => same,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                self.rest = chars.as_str();
                return self.unicode();
            }
            _ => return Err(Malformed),
        };
        self.rest = chars.as_str();
        Ok(meant)
    }

    fn unicode(&mut self) -> Result<char, Malformed> {
        let first = self.unit()?;
        // Beyond the first 65,536 characters: two units.
        if first & 0xfc00 != 0xd800 {
            return char::from_u32(first).ok_or(Malformed);
        }
        self.take("\\u")?;
        let second = self.unit()?;
        if second & 0xfc00 != 0xdc00 {
            return Err(Malformed);
        }
        char::from_u32(0x1_0000 + ((first & 0x3ff) << 10 | second & 0x3ff)).ok_or(Malformed)
    }

    fn unit(&mut self) -> Result<u32, Malformed> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.rest.chars().next().and_then(|digit| digit.to_digit(16)).ok_or(Malformed)?;
            // A hexadecimal digit is one byte.
            self.rest = self.rest.get(1..).ok_or(Malformed)?;
            unit = unit << 4 | digit;
        }
        Ok(unit)
    }

    fn number(&mut self) -> Result<Number, Malformed> {
        let is_negative = self.take("-").is_ok();
        let before = self.rest;
        let (mut digits, mut exponent) = (0_u64, 0_i32);
        self.digits(&mut digits, &mut exponent)?;
        if before.len() - self.rest.len() > 1 && before.starts_with('0') {
            return Err(Malformed);
        }
        let mut is_whole = exponent == 0;
        if self.take(".").is_ok() {
            is_whole = false;
            let mut left_out = 0;
            let decimals = self.digits(&mut digits, &mut left_out)?;
            exponent = exponent.saturating_add(left_out).saturating_sub(decimals);
        }
        if self.take("e").is_ok() || self.take("E").is_ok() {
            is_whole = false;
            let is_small = self.take("-").is_ok();
            if !is_small {
                let _ = self.take("+");
            }
            let (mut power, mut left_out) = (0, 0);
            self.digits(&mut power, &mut left_out)?;
            let power = i32::try_from(power).unwrap_or(i32::MAX);
            exponent = exponent.saturating_add(if is_small { -power } else { power });
        }
        if is_whole && !is_negative {
            return Ok(Number::Whole(digits));
        }
        if let (true, Ok(positive)) = (is_whole, i64::try_from(digits)) {
            return Ok(Number::Negative(-positive));
        }
        let value = scaled(digits, exponent);
        if value.is_infinite() {
            return Err(Malformed);
        }
        Ok(Number::Broken(if is_negative { -value } else { value }))
    }

    /// Appends digits, as many as fit; of those left out it counts powers of ten. How many there were.
    fn digits(&mut self, number: &mut u64, left_out: &mut i32) -> Result<i32, Malformed> {
        let end = self.rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        self.rest = rest;
        for digit in digits.bytes() {
            let longer = number.checked_mul(10).and_then(|n| n.checked_add(u64::from(digit - b'0')));
            match longer {
                Some(longer) if *left_out == 0 => *number = longer,
                _ => *left_out = left_out.saturating_add(1),
            }
        }
        let count = i32::try_from(end).unwrap_or(i32::MAX);
        if count == 0 { Err(Malformed) } else { Ok(count) }
    }
}

/// `digits` times ten to the power of `exponent`: exact up to 15 digits and powers of 22, which is more than
/// any figure here has.
fn scaled(digits: u64, exponent: i32) -> f64 {
    #[allow(clippy::cast_precision_loss)]
    let digits = digits as f64;
    if exponent < 0 {
        digits / 10_f64.powi(exponent.saturating_neg())
    } else {
        digits * 10_f64.powi(exponent)
    }
}
