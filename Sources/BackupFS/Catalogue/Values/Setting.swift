/// The keys of what the catalogue remembers about itself.
package enum Setting {
    /// The catalogue's own name, the same for ever; also in the prefix's marker.
    package static let catalogue = "catalogue"
    /// Set once the prefix was claimed: backup storage has been reached at least once.
    package static let claimed = "claimed"
    /// Set once the files that main held at first are in the catalogue.
    package static let adopted = "adopted"
    /// The lowest and highest number of an adopted resource.
    package static let firstAdopted = "adopted.first"
    package static let lastAdopted = "adopted.last"
    /// The kernel's boot that the catalogue was last used under.
    package static let boot = "boot"
    /// The time (nanoseconds since 1970) up to which main is known to be on its disk.
    package static let checkpoint = "checkpoint"
    /// The mount of main's file system, by the kernel's number: its page cache is gone with it.
    package static let mount = "mount"
    /// The last journal segment that was stored, with the sum of its bytes (base 64), and the last that was begun to be
    /// sent (`SegmentID`).
    package static let journal = "journal"
    package static let journalSum = "journal.sum"
    package static let journalBegun = "journal.begun"
    /// Set while there is no journal that leads to this catalogue: the next segment tells everything.
    package static let journalBase = "journal.base"
    /// Set by a restore until the bucket has been looked through: from which moment on (`ChangePoint`) an object that no row
    /// knows may be an acknowledged content.
    package static let sweep = "sweep"
    /// The number of the last resource that the restore knew.
    package static let sweepLast = "sweep.last"
    /// The last claim of the backup by this catalogue (`Epoch`); it may never have arrived.
    package static let epoch = "epoch"
    /// `yes` after a stop that left nothing unfinished.
    package static let cleanStop = "clean"
    /// `yes` after a stop that left all of main on its disk, whatever waited for backup storage then.
    package static let mainSynced = "synced"
    /// How far the comparison of the bucket with the catalogue has come (JSON of `ScrubPosition`), and the report of the
    /// last one that was finished.
    package static let scrub = "scrub"
    package static let scrubReport = "scrub.report"
}
