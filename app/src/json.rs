//! Reading the JSON of the console's own server.
//!
//! `serde_json` tells of each error where it is and what it is; for the page it is enough that there is one.
//! Without the words, without the standard formatting of floats in them, and without structs written as
//! lists, reading takes far less of the bundle.

#[cfg(test)]
mod tests;
mod token;

use std::fmt;

use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use token::{Number, Text, Token, Tokens};

/// What was read is no JSON, or none of the form that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it has another form than expected")
    }
}

impl std::error::Error for Malformed {}

impl Error for Malformed {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

/// Reads a value.
///
/// # Errors
///
/// If the text is no JSON, or another than the type expects.
pub fn read<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, Malformed> {
    let mut tokens = Tokens::new(text);
    let value = T::deserialize(Value(&mut tokens))?;
    tokens.end()?;
    Ok(value)
}

/// The value that begins here.
struct Value<'t, 'de>(&'t mut Tokens<'de>);

impl<'de> Value<'_, 'de> {
    fn number<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        match self.0.next()? {
            Token::Number(number) => number.show(visitor),
            _ => Err(Malformed),
        }
    }

    fn text<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        match self.0.next()? {
            Token::Text(text) => text.show(visitor),
            _ => Err(Malformed),
        }
    }

    fn list<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        match self.0.next()? {
            Token::List => self.elements(visitor),
            _ => Err(Malformed),
        }
    }

    fn elements<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        let value = visitor.visit_seq(Members { tokens: self.0, is_first: true })?;
        self.0.close("]")?;
        Ok(value)
    }

    fn map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        match self.0.next()? {
            Token::Map => self.members(visitor),
            _ => Err(Malformed),
        }
    }

    fn members<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        let value = visitor.visit_map(Members { tokens: self.0, is_first: true })?;
        self.0.close("}")?;
        Ok(value)
    }
}

impl Number {
    fn show<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        match self {
            Self::Whole(value) => visitor.visit_u64(value),
            Self::Negative(value) => visitor.visit_i64(value),
            Self::Broken(value) => visitor.visit_f64(value),
        }
    }
}

impl<'de> Text<'de> {
    fn show<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        match self {
            Self::Borrowed(text) => visitor.visit_borrowed_str(text),
            Self::Owned(text) => visitor.visit_string(text),
        }
    }
}

/// Each kind by itself: a visitor has code only for what its type asks for.
macro_rules! each {
    ($how:ident: $($method:ident)+) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
            self.$how(visitor)
        })+
    };
}

impl<'de> Deserializer<'de> for Value<'_, 'de> {
    type Error = Malformed;

    each!(number: deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_i8 deserialize_i16
        deserialize_i32 deserialize_i64 deserialize_f32 deserialize_f64);
    each!(text: deserialize_str deserialize_string deserialize_identifier deserialize_char);
    each!(list: deserialize_seq);
    each!(map: deserialize_map);

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        match self.0.next()? {
            Token::Bool(value) => visitor.visit_bool(value),
            _ => Err(Malformed),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        if self.0.takes_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Malformed> {
        self.list(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        self.map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        match self.0.next()? {
            Token::Text(name) => visitor.visit_enum(Variant { name, value: None }),
            Token::Map => {
                let Some(name) = self.0.key(true)? else { return Err(Malformed) };
                let value = visitor.visit_enum(Variant { name, value: Some(&mut *self.0) })?;
                self.0.close("}")?;
                Ok(value)
            }
            _ => Err(Malformed),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        self.0.skip()?;
        visitor.visit_unit()
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        match self.0.next()? {
            Token::Null => visitor.visit_unit(),
            Token::Bool(value) => visitor.visit_bool(value),
            Token::Number(number) => number.show(visitor),
            Token::Text(text) => text.show(visitor),
            Token::List => self.elements(visitor),
            Token::Map => self.members(visitor),
        }
    }

    forward_to_deserialize_any! { i128 u128 bytes byte_buf unit unit_struct tuple_struct }
}

/// What is left of a list or a map.
struct Members<'t, 'de> {
    tokens: &'t mut Tokens<'de>,
    is_first: bool,
}

impl<'de> SeqAccess<'de> for Members<'_, 'de> {
    type Error = Malformed;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Malformed> {
        let is_first = std::mem::take(&mut self.is_first);
        if !self.tokens.element(is_first)? {
            return Ok(None);
        }
        seed.deserialize(Value(self.tokens)).map(Some)
    }
}

impl<'de> MapAccess<'de> for Members<'_, 'de> {
    type Error = Malformed;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Malformed> {
        let is_first = std::mem::take(&mut self.is_first);
        self.tokens.key(is_first)?.map(|key| seed.deserialize(key)).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Malformed> {
        seed.deserialize(Value(self.tokens))
    }
}

/// A text that names something: a member or a variant.
impl<'de> Deserializer<'de> for Text<'de> {
    type Error = Malformed;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Malformed> {
        self.show(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// A variant by name, with its value if it has one.
struct Variant<'t, 'de> {
    name: Text<'de>,
    value: Option<&'t mut Tokens<'de>>,
}

/// The value of a variant.
struct Content<'t, 'de>(Option<&'t mut Tokens<'de>>);

impl<'t, 'de> EnumAccess<'de> for Variant<'t, 'de> {
    type Error = Malformed;
    type Variant = Content<'t, 'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Content<'t, 'de>), Malformed> {
        Ok((seed.deserialize(self.name)?, Content(self.value)))
    }
}

impl<'de> VariantAccess<'de> for Content<'_, 'de> {
    type Error = Malformed;

    fn unit_variant(self) -> Result<(), Malformed> {
        if self.0.is_some() { Err(Malformed) } else { Ok(()) }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Malformed> {
        seed.deserialize(Value(self.0.ok_or(Malformed)?))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Malformed> {
        Value(self.0.ok_or(Malformed)?).list(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Malformed> {
        Value(self.0.ok_or(Malformed)?).map(visitor)
    }
}
