//! The small parts that pages are made of.

mod banner;
mod bar;
mod card;
mod choice;
mod connection;
mod dialog;
mod field;
mod icon;
mod meter;
mod pause;
mod pill;
mod rail;
mod segments;
mod shortcuts;
mod strip;
mod switch;
mod theme;
mod tile;

pub use banner::Banner;
pub use bar::Bar;
pub use card::Card;
pub use choice::Choice;
pub use connection::Connection;
pub use dialog::Dialog;
pub use field::Field;
pub use icon::Icon;
pub use meter::Meter;
pub use pause::Pause;
pub use pill::Pill;
pub use rail::Rail;
pub use segments::RangeSegments;
pub use shortcuts::Shortcuts;
pub use strip::Strip;
pub use switch::KillSwitch;
pub use theme::{ThemeButton, provide_theme};
pub use tile::{Figure, Tile};
