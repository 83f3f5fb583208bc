// How the kernel reads and writes through each open of a file, as a value, so that a test can try every order of opens and
// closes (OpenModeTests). The kernel's rules (fs/fuse/iomode.c), which it answers with EIO if they are broken:
//
// - as long as one open of a file names a backing file, every other open must name the same one;
// - an open that names none goes through the page cache of the mount, and cannot stand beside one that names one;
// - an open that names one may still send its reads and writes to the daemon, but its mappings are of the backing file.

import Catalogue

/// A main copy that the kernel knows by a number.
package struct BackingFile: Hashable, Sendable {
    /// The kernel's number.
    package let id: Int32

    package init(id: Int32) { self.id = id }
}

/// Registers main copies with the kernel, for reads that do not come to the daemon.
package protocol BackingFiles: Sendable {
    /// The kernel's number of an open main copy; nil if the kernel refuses it.
    func register(_ copy: Int32) -> BackingFile?
    /// No later open will name it.
    func forget(_ backing: BackingFile)
    /// Whether reads are passed through, for `status`.
    var report: StatusReport.Passthrough { get }
}

/// How the kernel reads and writes through one open.
package enum OpenMode: Hashable, Sendable {
    /// Through the page cache of the mount, which the daemon fills.
    case cached
    /// Reads and mappings go to the main copy without the daemon.
    case passthrough(BackingFile)
    /// Reads and writes come to the daemon, mappings go to the main copy.
    case direct(BackingFile)

    /// The main copy that it names.
    package var backing: BackingFile? {
        switch self {
        case .cached: nil
        case .passthrough(let backing), .direct(let backing): backing
        }
    }
}

/// What an open may do.
package struct OpenAccess: Hashable, Sendable {
    /// It may read, and so map.
    package var reads: Bool
    /// It may write.
    package var writes: Bool
    /// It empties the file.
    package var truncates: Bool
    /// It reads past all page caches (O_DIRECT).
    package var isUnbuffered: Bool

    package init(reads: Bool, writes: Bool, truncates: Bool = false, isUnbuffered: Bool = false) {
        self.reads = reads
        self.writes = writes
        self.truncates = truncates
        self.isUnbuffered = isUnbuffered
    }

    /// What the kernel may do without the daemon: only read, through a page cache.
    var isForReading: Bool { reads && !writes && !truncates && !isUnbuffered }

    /// Through a shared mapping it may write without asking.
    var mayMapForWriting: Bool { reads && writes }
}

/// The opens of one file that the kernel may still have; `Copy` is an open main copy.
struct OpenModes<Copy: AnyObject & Sendable>: Sendable {
    /// What an open found.
    enum Decision: Hashable, Sendable {
        case open(OpenMode)
        /// Others have a copy open that is not the file's content any more, and a mapping would be of that one.
        case refused
    }

    private var cached = 0
    private var uncached = 0
    /// Opens through which a mapping of the main copy can be made that may be written.
    private(set) var mappers = 0
    /// Somebody watches for such mappings that live longer than their opens.
    private(set) var isWatched = false
    /// The main copy that all uncached opens name.
    private var backing: (copy: Copy, file: BackingFile)?

    /// Whether somebody reads past the daemon.
    var isUncached: Bool { uncached > 0 }

    /// Decides on an open.
    ///
    /// `copy` is the main copy if its content is the file's; `register` gives it a number.
    mutating func opened(_ access: OpenAccess, _ copy: Copy?, _ register: (Copy) -> BackingFile?) -> Decision {
        if let backing, uncached > 0 {
            let isSame = backing.copy === copy
            // What it reads and writes comes to the daemon; what it maps does not.
            guard isSame || !access.reads else { return .refused }
            uncached += 1
            if access.mayMapForWriting { mappers += 1 }
            return .open(isSame && access.isForReading ? .passthrough(backing.file) : .direct(backing.file))
        }
        if cached == 0, access.isForReading, let copy, let file = register(copy) {
            backing = (copy, file)
            uncached = 1
            return .open(.passthrough(file))
        }
        cached += 1
        return .open(.cached)
    }

    /// The kernel has let go of an open; returns what no later open will name.
    mutating func closed(_ mode: OpenMode, _ access: OpenAccess) -> BackingFile? {
        guard mode != .cached else {
            cached -= 1
            return nil
        }
        if access.mayMapForWriting { mappers -= 1 }
        return uncachedWent()
    }

    /// Begins a watch if it is needed and there is none: returns the copy to watch, which later opens go on to name.
    mutating func watchBegins() -> Copy? {
        guard mappers > 0, !isWatched, let backing else { return nil }
        isWatched = true
        uncached += 1
        return backing.copy
    }

    /// The watch is over if no open can map the copy and `isMapped` says that nobody has mapped it for writing.
    ///
    /// Returns nil if it goes on, else what no later open will name.
    mutating func watchEnds(unless isMapped: () -> Bool) -> BackingFile?? {
        guard mappers == 0, !isMapped() else { return nil }
        isWatched = false
        return .some(uncachedWent())
    }

    private mutating func uncachedWent() -> BackingFile? {
        uncached -= 1
        guard uncached == 0 else { return nil }
        defer { backing = nil }
        return backing?.file
    }
}
