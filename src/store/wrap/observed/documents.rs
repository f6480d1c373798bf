use crate::metadata::Record;

/// What a call answers, as documents.
pub(super) trait Documents {
    fn each(&self, seen: impl FnMut(&Record));
}

impl Documents for Record {
    fn each(&self, mut seen: impl FnMut(&Record)) {
        seen(self);
    }
}

impl Documents for Option<Record> {
    fn each(&self, seen: impl FnMut(&Record)) {
        self.iter().for_each(seen);
    }
}

impl Documents for Vec<Option<Record>> {
    fn each(&self, seen: impl FnMut(&Record)) {
        self.iter().flatten().for_each(seen);
    }
}

impl Documents for () {
    fn each(&self, _: impl FnMut(&Record)) {}
}
