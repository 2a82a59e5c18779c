//! Text to tokens to syntax tree.
//!
//! Comes in: the text of one .tb file. Goes out: its tree, as far as it could be read, and every syntax error. It never
//! fails and knows no other room: what names mean is the compiler's business.
//!
//! `token` (logos) lexes the file once, losslessly, and splits it into items, so that a syntax error costs one item; `parse`
//! (pest, `taskbot.pest`) parses each item.
#![forbid(unsafe_code)]

mod again;
mod format;
pub mod keywords;
mod parse;
mod shift;
mod token;
mod tree;
mod words;

pub use again::{Kept, parse_again};
pub use format::{format, words};
pub use parse::{parse, parse_by_grammar, uses};
pub use token::{CONTEXTUAL_KEYWORDS, ITEM_KEYWORDS, NESTING_LIMIT, Token, TokenKind, declared, tokens};
pub use tree::*;
