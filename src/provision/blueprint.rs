//! What `setup` makes, as data.

use super::names;
use crate::error::Error;
use crate::escape;

/// The partition key of the table: the one that Terraform's S3 backend locks with.
pub const KEY: &str = "LockID";
/// The attribute by which DynamoDB collects records that nobody has touched for long.
pub const TTL: &str = "expires_at";
/// The table's name where none is known.
pub const DEFAULT_TABLE: &str = "terraform-lock";
/// The tag that says who keeps something.
pub const MANAGED_BY: &str = "managed-by";

/// What there is to be: valid names, one thing at least.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blueprint {
    /// The lock table.
    pub table: Option<String>,
    /// The bucket.
    pub bucket: Option<String>,
    /// The user's tags for both.
    pub tags: Vec<(String, String)>,
}

impl Blueprint {
    /// Checks the names.
    ///
    /// # Errors
    /// [`Error::Usage`] with what is wrong with a name or a tag.
    pub fn new(
        table: Option<String>,
        bucket: Option<String>,
        tags: Vec<(String, String)>,
    ) -> Result<Self, Error> {
        let refuse = |what: &str, name: &str, why: &str| {
            Err(Error::Usage(format!("{what} {:?}: {why}", escape::field(name))))
        };
        if let Some(name) = &table
            && let Some(why) = names::table_fault(name)
        {
            return refuse("the table's name", name, why);
        }
        if let Some(name) = &bucket
            && let Some(why) = names::bucket_fault(name)
        {
            return refuse("the bucket's name", name, why);
        }
        for (index, (key, value)) in tags.iter().enumerate() {
            if let Some(why) = names::tag_fault(key, value) {
                return refuse("--tag", &format!("{key}={value}"), why);
            }
            if tags[..index].iter().any(|(earlier, _)| earlier == key) {
                return refuse("--tag", &format!("{key}={value}"), "the key is given twice");
            }
        }
        Ok(Self { table, bucket, tags })
    }

    /// The tags of something new that `keeper` keeps, unless the user says who does.
    pub fn tags_by(&self, keeper: &str) -> Vec<(String, String)> {
        let mut tags = self.tags.clone();
        if !tags.iter().any(|(key, _)| key == MANAGED_BY) {
            tags.insert(0, (MANAGED_BY.to_owned(), keeper.to_owned()));
        }
        tags
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(key: &str, value: &str) -> (String, String) {
        (key.into(), value.into())
    }

    #[test]
    fn names_and_tags_are_checked() {
        let blueprint = |table: &str, bucket: &str, tags: Vec<_>| {
            Blueprint::new(Some(table.into()), Some(bucket.into()), tags)
        };
        assert!(blueprint("locks", "states", vec![tag("a", "b")]).is_ok());
        for (table, bucket, tags, named) in [
            ("a b", "states", vec![], "table's name \"a b\""),
            ("locks", "States", vec![], "bucket's name \"States\""),
            ("locks\u{1b}", "states", vec![], "\\u{1b}"),
            ("locks", "states", vec![tag("aws:x", "y")], "--tag \"aws:x=y\""),
            ("locks", "states", vec![tag("a", "x"), tag("a", "y")], "given twice"),
        ] {
            let error = blueprint(table, bucket, tags).unwrap_err();
            assert_eq!(error.exit_code(), 64);
            assert!(error.to_string().contains(named), "{error}");
            assert!(!error.to_string().contains('\u{1b}'));
        }
    }

    #[test]
    fn the_user_may_say_who_keeps_it() {
        let of = |tags| Blueprint::new(Some("locks".into()), None, tags).unwrap().tags_by("tfguard");
        assert_eq!(of(vec![tag("a", "b")]), [tag("managed-by", "tfguard"), tag("a", "b")]);
        assert_eq!(of(vec![tag("managed-by", "us")]), [tag("managed-by", "us")]);
    }
}
