/// How a file system is doing: what `backupfs status` shows.
package struct StatusReport: Codable, Sendable, Equatable {
    /// Where it is; its fields stand beside the others in the JSON.
    package var place: Place
    /// The backup storage.
    package var backup: Backup
    /// How many resources are in each state.
    package var resources: Resources
    /// What is still on its way to the backup storage.
    package var pending: Pending
    /// How many rows have storages that do not match.
    package var leftovers: Int
    /// How many things were moved out of the way in main, and lie in `.backupfs/aside`.
    package var aside: Int
    /// Files brought back from the backup storage since the mount.
    package var recoveries: Recoveries
    /// What failed since the mount.
    package var failures: Failures
    /// Files found in main storage without a row.
    package var adoption: Adoption
    /// The last comparison of the bucket with the catalogue that was finished; nil if there was none.
    package var objects: ObjectReport?
    /// Whether the kernel reads main copies itself.
    package var passthrough: Passthrough

    package init(
        place: Place, backup: Backup, resources: Resources, pending: Pending, leftovers: Int,
        aside: Int, recoveries: Recoveries, failures: Failures, adoption: Adoption,
        objects: ObjectReport? = nil, passthrough: Passthrough = Passthrough()
    ) {
        self.place = place
        self.backup = backup
        self.resources = resources
        self.pending = pending
        self.leftovers = leftovers
        self.aside = aside
        self.recoveries = recoveries
        self.failures = failures
        self.adoption = adoption
        self.objects = objects
        self.passthrough = passthrough
    }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        place = try Place(from: decoder)
        backup = try container.decode(Backup.self, forKey: .backup)
        resources = try container.decode(Resources.self, forKey: .resources)
        pending = try container.decode(Pending.self, forKey: .pending)
        leftovers = try container.decode(Int.self, forKey: .leftovers)
        aside = try container.decode(Int.self, forKey: .aside)
        recoveries = try container.decode(Recoveries.self, forKey: .recoveries)
        failures = try container.decode(Failures.self, forKey: .failures)
        adoption = try container.decode(Adoption.self, forKey: .adoption)
        objects = try container.decodeIfPresent(ObjectReport.self, forKey: .objects)
        passthrough = try container.decode(Passthrough.self, forKey: .passthrough)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try place.encode(to: encoder)
        try container.encode(backup, forKey: .backup)
        try container.encode(resources, forKey: .resources)
        try container.encode(pending, forKey: .pending)
        try container.encode(leftovers, forKey: .leftovers)
        try container.encode(aside, forKey: .aside)
        try container.encode(recoveries, forKey: .recoveries)
        try container.encode(failures, forKey: .failures)
        try container.encode(adoption, forKey: .adoption)
        try container.encode(objects, forKey: .objects)
        try container.encode(passthrough, forKey: .passthrough)
    }
}

extension StatusReport {
    private enum CodingKeys: String, CodingKey {
        case backup, resources, pending, leftovers, aside, recoveries, failures, adoption, objects, passthrough
    }

    /// The main directory, and where it is mounted.
    package struct Place: Codable, Sendable, Equatable {
        /// The main directory, absolute.
        package var main: String
        /// Where it is mounted, absolute; nil if it is not.
        package var mountpoint: String?

        package init(main: String, mountpoint: String?) {
            self.main = main
            self.mountpoint = mountpoint
        }

        package func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(main, forKey: .main)
            try container.encode(mountpoint, forKey: .mountpoint)
        }
    }

    /// The backup storage and how its last answer was.
    package struct Backup: Codable, Sendable, Equatable {
        /// The storage without secrets: `s3://bucket/prefix` or `file:///dir`.
        package var url: String
        /// Whether it answered when it was last asked.
        package var reachable: Bool
        /// The last failure, one line; nil if there was none since the mount.
        package var lastError: String?
        /// One line that says who has taken it over from this mount, which only reads since; nil if nobody has.
        package var takenOver: String?

        package init(url: String, reachable: Bool, lastError: String?, takenOver: String? = nil) {
            self.url = url
            self.reachable = reachable
            self.lastError = lastError
            self.takenOver = takenOver
        }

        package func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(url, forKey: .url)
            try container.encode(reachable, forKey: .reachable)
            try container.encode(lastError, forKey: .lastError)
            try container.encode(takenOver, forKey: .takenOver)
        }
    }

    /// Rows in each state of the life cycle.
    package struct Resources: Codable, Sendable, Equatable {
        /// Written, but not complete in both storages yet.
        package var creating: Int
        /// Complete in both.
        package var created: Int
        /// Asked to be deleted (soft delete).
        package var deleted: Int

        package init(creating: Int, created: Int, deleted: Int) {
            self.creating = creating
            self.created = created
            self.deleted = deleted
        }
    }

    /// What the backup storage does not hold, or still holds, at this moment.
    package struct Pending: Codable, Sendable, Equatable {
        /// Versions of files still to be uploaded.
        package var uploads: Int
        /// Objects still to be removed.
        package var removals: Int
        /// Changes of names, modes and times that the journal has not shipped yet.
        package var journal: Int
        /// Seconds: how old the oldest of those changes can be; what would be lost of names if this machine were.
        package var journalLag: Double

        package init(uploads: Int, removals: Int, journal: Int, journalLag: Double = 0) {
            self.uploads = uploads
            self.removals = removals
            self.journal = journal
            self.journalLag = journalLag
        }
    }

    /// Files whose main copy was missing when they were read.
    package struct Recoveries: Codable, Sendable, Equatable {
        /// Brought back.
        package var done: Int
        /// Not brought back.
        package var failed: Int

        package init(done: Int, failed: Int) {
            self.done = done
            self.failed = failed
        }
    }

    /// How often something failed; an attempt that failed and is made again counts each time.
    package struct Failures: Codable, Sendable, Equatable {
        /// Uploads.
        package var uploads: Int
        /// Removals of a main copy or of an object.
        package var removals: Int
        /// Files found in main storage that are not what the catalogue knows, moved to `.backupfs/aside`.
        package var setAside: Int
        /// Steps that the catalogue could not record.
        package var catalogue: Int
        /// Shipments of the journal.
        package var journal: Int
        /// Changes that main lost before they were backed up.
        package var changesLost: Int

        package init(
            uploads: Int = 0, removals: Int = 0, setAside: Int = 0, catalogue: Int = 0, journal: Int = 0,
            changesLost: Int = 0
        ) {
            self.uploads = uploads
            self.removals = removals
            self.setAside = setAside
            self.catalogue = catalogue
            self.journal = journal
            self.changesLost = changesLost
        }
    }

    /// Whether programs read main copies without the daemon.
    package struct Passthrough: Codable, Sendable, Equatable {
        /// Whether they do.
        package enum State: String, Codable, Sendable {
            case on
            case off
        }

        /// Whether they do.
        package var state: State
        /// Why not, one line; nil if they do.
        package var reason: String?
        /// Main copies that are being read that way.
        package var files: Int

        package init(state: State = .off, reason: String? = "not mounted", files: Int = 0) {
            self.state = state
            self.reason = reason
            self.files = files
        }

        package func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(state, forKey: .state)
            try container.encode(reason, forKey: .reason)
            try container.encode(files, forKey: .files)
        }
    }

    /// Files that were in main storage before the catalogue knew them.
    package struct Adoption: Codable, Sendable, Equatable {
        /// Files found without a row.
        package var files: Int
        /// How many of them the backup storage holds by now.
        package var backedUp: Int

        package init(files: Int, backedUp: Int) {
            self.files = files
            self.backedUp = backedUp
        }
    }
}
