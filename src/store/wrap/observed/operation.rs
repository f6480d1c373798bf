/// A method of the store.
#[derive(Clone, Copy)]
pub(super) enum Operation {
    Get,
    GetMany,
    Update,
    Clear,
}

impl Operation {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::GetMany => "get_many",
            Self::Update => "update",
            Self::Clear => "clear",
        }
    }

    pub(super) fn writes(self) -> bool {
        matches!(self, Self::Update | Self::Clear)
    }
}
