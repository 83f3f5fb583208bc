// What removals, the journal and the background change.

/// A removal of a version's object that failed.
package struct RemovalFailure: Sendable {
    package var version: Version
    package var error: String
    /// When it is tried again.
    package var next: Nanoseconds

    package init(version: Version, error: String, next: Nanoseconds) {
        self.version = version
        self.error = error
        self.next = next
    }
}

extension CatalogueChange where Outcome == Void {
    /// Delete.4: main does not have a deleted resource any more; with `isDone` nothing is left to do for it.
    package static func markDeletedNotInMain(_ id: ResourceID, isDone: Bool) -> Self {
        Self { transaction throws(CatalogueError) in
            try transaction.markDeletedNotInMain(id)
            if isDone { try transaction.settle(id) }
        }
    }

    /// Main would not let go of a deleted resource; `delay` (nanoseconds) is given the attempts before.
    package static func noteDeleteFailure(
        _ id: ResourceID, error: String, now: Nanoseconds, delay: @escaping @Sendable (Int) -> Nanoseconds
    ) -> Self {
        Self { transaction throws(CatalogueError) in
            let attempts = try transaction.reader.attempts(id)
            try transaction.recordFailure(id, error: error, next: now + delay(attempts), now: now)
        }
    }

    /// Delete.4 and Delete.5: main does not have those of `gone` any more, and the versions of all deleted resources among
    /// `ids` go to the removal of versions.
    package static func handOverVersions(
        of ids: [ResourceID], gone: Set<ResourceID> = [], now: Nanoseconds
    ) -> Self {
        Self { transaction throws(CatalogueError) in
            for id in ids {
                // A rename that main could not follow has given it its name back.
                guard let row = try transaction.reader.resource(id), row.status == .deleted else { continue }
                if gone.contains(id) { try transaction.markDeletedNotInMain(id) }
                try transaction.abandonVersions(of: id, now: now)
                // What main would not let go is tried again when it is due.
                if !row.inMain || gone.contains(id) { try transaction.settle(id) }
            }
        }
    }

    /// Delete.6: versions' objects are gone.
    package static func forget(_ versions: [VersionID]) -> Self {
        Self { transaction throws(CatalogueError) in
            for version in versions { try transaction.forgetVersion(version) }
        }
    }

    /// Removals of objects failed.
    package static func noteRemovalFailures(_ failures: [RemovalFailure], now: Nanoseconds) -> Self {
        Self { transaction throws(CatalogueError) in
            for failure in failures {
                try transaction.recordRemovalFailure(
                    failure.version.id, error: failure.error, next: failure.next, now: now)
                guard let row = try transaction.reader.resource(failure.version.resource), row.status == .deleted else {
                    continue
                }
                try transaction.noteError(row.id, error: failure.error, now: now)
            }
        }
    }

    /// Background work on resources is looked at again later; nothing failed.
    package static func postpone(_ ids: [ResourceID], until due: Nanoseconds) -> Self {
        Self { transaction throws(CatalogueError) in
            for id in ids { try transaction.postpone(id, until: due) }
        }
    }

    /// Nothing is left to do for a live resource in the background; a deleted one has its removal.
    package static func settle(_ id: ResourceID) -> Self {
        Self { transaction throws(CatalogueError) in
            guard try transaction.reader.resource(id)?.status != .deleted else { return }
            try transaction.settle(id)
        }
    }

    /// The bucket was looked through after a restore: what was being made then and never arrived does not exist.
    package static func endSweep(now: Nanoseconds) -> Self {
        Self { transaction throws(CatalogueError) in
            guard try transaction.reader.setting(Setting.sweep) != nil else { return }
            // Later ones are being made now.
            let last = try transaction.reader.setting(Setting.sweepLast).flatMap { Int64($0) } ?? 0
            try transaction.forgetUnstored(through: ResourceID(last), now: now)
            try transaction.unset(Setting.sweep)
        }
    }

    /// There is no journal that leads to this catalogue: the next segment, which is waited for, tells everything.
    package static var beginJournal: Self {
        Self { transaction throws(CatalogueError) in
            try transaction.set(Setting.journalBase, to: "needed")
            try transaction.tell(.root)
        }
    }

    /// A segment of the journal is in backup, with every change up to the one with the number `last`.
    package static func endSegment(_ segment: SegmentHeader.Link, through last: Int64) -> Self {
        Self { transaction throws(CatalogueError) in
            try transaction.shipped(through: last)
            try transaction.set(Setting.journal, to: "\(segment.id)")
            try transaction.set(Setting.journalSum, to: Base64.text(segment.sha256))
            try transaction.unset(Setting.journalBase)
        }
    }
}

extension CatalogueChange where Outcome == Bool {
    /// At most `limit` removals need not wait for the journal any more; whether there may be more.
    package static func releaseRemovals(limit: Int) -> Self {
        Self { transaction throws(CatalogueError) in try transaction.releaseRemovals(limit: limit) }
    }

    /// At most `limit` of what failed is due; whether there may be more.
    package static func makeFailuresDue(now: Nanoseconds, limit: Int) -> Self {
        Self { transaction throws(CatalogueError) in try transaction.makeFailuresDue(now: now, limit: limit) }
    }

    /// At most `limit` of what is due later than `latest` is due then; whether there may be more.
    package static func clampDue(to latest: Nanoseconds, limit: Int) -> Self {
        Self { transaction throws(CatalogueError) in try transaction.clampDue(to: latest, limit: limit) }
    }
}
