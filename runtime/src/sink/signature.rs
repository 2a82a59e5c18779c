//! Signatures of fedmsg: the text that is signed, and the signing.
//!
//! Comes in: an envelope, a key and a certificate. Goes out: the envelope with `crypto`, `certificate` and `signature`, as python
//! fedmsg's x509 backend makes and checks it: RSA PKCS#1 v1.5 with SHA-1 over the envelope with its keys sorted, without white
//! space, and with everything but printable ASCII as `\uXXXX`. It serves a protocol of 2012 that nothing new should be built on.

use std::fmt::Write as _;
use std::path::Path;

use openssl::base64::encode_block;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::sign::Signer as OpensslSigner;
use serde_json::{Map, Value};

use super::error::SinkError;

/// Who signs.
pub(super) struct Signer {
    key: PKey<Private>,
    certificate_pem: Vec<u8>,
}

impl Signer {
    /// Reads key and certificate, PEM both.
    pub(super) fn read(certificate: &Path, key: &Path) -> Result<Self, SinkError> {
        let read = |path: &Path| std::fs::read(path).map_err(|e| SinkError::Io(path.to_owned(), e));
        let wrong =
            |path: &Path, what: &str| SinkError::Io(path.to_owned(), std::io::Error::other(what.to_owned()));
        // Without a password: nobody is there to be asked.
        let parsed = PKey::private_key_from_pem_callback(&read(key)?, |_| Ok(0));
        let parsed = parsed.map_err(|_| wrong(key, "it is no private key in PEM without a password"))?;
        let certificate_pem = read(certificate)?;
        let leaf = openssl::x509::X509::from_pem(&certificate_pem)
            .map_err(|_| wrong(certificate, "it is no certificate in PEM"))?;
        if parsed.rsa().is_err() || !leaf.public_key().is_ok_and(|public| public.public_eq(&parsed)) {
            return Err(wrong(key, "it is not the RSA key of the certificate"));
        }
        Ok(Self { key: parsed, certificate_pem })
    }

    /// Signs an envelope.
    pub(super) fn sign(&self, envelope: &mut Map<String, Value>) -> Result<(), SinkError> {
        let failed = |e: openssl::error::ErrorStack| SinkError::Form(format!("it cannot be signed: {e}"));
        envelope.insert("crypto".into(), "x509".into());
        let text = canonical(&Value::Object(envelope.clone()))?;
        let mut signer = OpensslSigner::new(MessageDigest::sha1(), &self.key).map_err(failed)?;
        let signature = signer.sign_oneshot_to_vec(text.as_bytes()).map_err(failed)?;
        envelope.insert("certificate".into(), wrapped(&self.certificate_pem).into());
        envelope.insert("signature".into(), wrapped(&signature).into());
        Ok(())
    }
}

/// Base64 in lines of 76 characters.
fn wrapped(bytes: &[u8]) -> String {
    // 57 bytes make a whole line.
    bytes.chunks(57).map(|line| encode_block(line) + "\n").collect()
}

/// The text of a value that fedmsg signs.
pub(super) fn canonical(value: &Value) -> Result<String, SinkError> {
    let mut out = String::new();
    write(value, &mut out)?;
    Ok(out)
}

fn write(value: &Value, out: &mut String) -> Result<(), SinkError> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        Value::Number(number) if number.is_f64() => {
            return Err(SinkError::Form("a floating-point number has no one spelling to be signed".into()));
        }
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) => write_text(text, out),
        Value::Array(values) => {
            out.push('[');
            for (at, value) in values.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write(value, out)?;
            }
            out.push(']');
        }
        Value::Object(map) => {
            out.push('{');
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            for (at, (key, value)) in entries.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_text(key, out);
                out.push(':');
                write(value, out)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for unit in text.encode_utf16() {
        match u8::try_from(unit) {
            Ok(b'"') => out.push_str("\\\""),
            Ok(b'\\') => out.push_str("\\\\"),
            Ok(b'\n') => out.push_str("\\n"),
            Ok(b'\r') => out.push_str("\\r"),
            Ok(b'\t') => out.push_str("\\t"),
            Ok(8) => out.push_str("\\b"),
            Ok(12) => out.push_str("\\f"),
            Ok(byte @ 0x20..=0x7e) => out.push(char::from(byte)),
            _ => drop(write!(out, "\\u{unit:04x}")),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    #[test]
    fn the_signed_text_is_sorted_without_space_and_ascii() {
        let value = json!({"z": [1, -2, true, null, {}], "a": "é\u{1f600}\u{7f}\u{2028}\"\\\n\t\r\u{8}\u{c}\u{1}/", "B": {"b": [], "a": ""}});
        assert_eq!(
            canonical(&value).unwrap(),
            r#"{"B":{"a":"","b":[]},"a":"\u00e9\ud83d\ude00\u007f\u2028\"\\\n\t\r\b\f\u0001/","z":[1,-2,true,null,{}]}"#
        );
        assert!(canonical(&json!([1.5])).is_err());
    }

    #[test]
    fn base64_has_lines_as_pythons() {
        let text = wrapped(&[0; 58]);
        assert_eq!(text.lines().map(str::len).collect::<Vec<_>>(), [76, 4]);
        assert!(text.ends_with("AA==\n"));
    }
}
