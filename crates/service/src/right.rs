//! Rights as types. The function that returns a value with a right has checked the right, and the use
//! cases are methods of that value, so none can be called without its right.

use keyward_domain::access::Act;

/// A right to do an act.
pub trait Right: Copy + Send + Sync + 'static {
    /// The act, which determines the scope and the line in the table of roles.
    const ACT: Act;
}

macro_rules! rights {
    ($($name:ident: $doc:literal),+ $(,)?) => {$(
        #[doc = $doc]
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        impl Right for $name {
            const ACT: Act = Act::$name;
        }
    )+};
}

rights! {
    ReadKeys: "The right to list and view keys.",
    CreateKey: "The right to create a token or a session key.",
    ExpireKey: "The right to expire a key.",
    DeleteKey: "The right to delete a key and its record.",
    ReadUsers: "The right to list and view users.",
    EditRoles: "The right to replace a user's roles.",
    SetStatus: "The right to suspend or activate a user.",
    SetPassword: "The right to set a user's password.",
    DeleteUser: "The right to delete a user.",
}
