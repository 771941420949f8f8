//! Rights, as types. A right is checked once, by the function that hands out a value for it, and the
//! use cases are methods of that value: none can be called without the right to it.

use keyward_domain::access::Act;

/// What a right is a right to do.
pub trait Right: Copy + Send + Sync + 'static {
    /// The act: its scope and its line in the table of roles.
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
    ReadKeys: "To list and view keys.",
    CreateKey: "To make a token or a session key.",
    ExpireKey: "To end a key.",
    DeleteKey: "To delete a key and its record.",
    ReadUsers: "To list and view users.",
    EditRoles: "To replace a user's roles.",
    SetStatus: "To suspend or activate a user.",
    SetPassword: "To set a user's password.",
    DeleteUser: "To delete a user.",
}
