// What the file system of a main directory can do, tried in a hidden directory that is removed again: mergerfs, bindfs, sshfs,
// NFS and others lack something, and what that costs is better known before the first photo.

import Glibc
import Linux

/// What a main directory's file system lacks.
enum MainFeatures {
    /// Something that not every file system can.
    enum Feature: CaseIterable, Sendable {
        case sync
        case hardLinks
        case keepingNames
        case exchange
        case holes
        case unbuffered
        case exactTimes

        /// What it costs to be without it.
        var cost: String {
            switch self {
            case .sync: "nothing can be made safe against a power cut (fdatasync fails)"
            case .hardLinks: "ln fails"
            case .keepingNames: "renames that must not replace take two steps"
            case .exchange: "programs cannot exchange two names (RENAME_EXCHANGE)"
            case .holes: "holes in files take room"
            case .unbuffered: "programs cannot pass the page cache (O_DIRECT)"
            case .exactTimes: "copies are compared more often than needed (times are not kept exactly)"
            }
        }
    }

    /// Tries everything; `directory` must be one that can be written.
    static func missing(in directory: BytePath) throws(SystemError) -> [Feature] {
        var name = Array((directory.bytes + Array("/.backupfs-check-XXXXXX".utf8)).map { CChar(bitPattern: $0) }) + [0]
        guard mkdtemp(&name) != nil else { throw SystemError("mkdtemp") }
        let folder = try Descriptor(taking: open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), from: "open")
        defer {
            for file in ["a", "b", "c"] { unlinkat(folder.number, file, 0) }
            rmdir(name)
        }
        var missing: [Feature] = []
        let file = try makeFile("a", in: folder)
        for feature in Feature.allCases where !has(feature, file, in: folder) { missing.append(feature) }
        return missing
    }

    private static func makeFile(_ name: String, in folder: Descriptor) throws(SystemError) -> Descriptor {
        try Descriptor(taking: openat(folder.number, name, O_RDWR | O_CREAT | O_CLOEXEC, 0o600), from: "open")
    }

    private static func has(_ feature: Feature, _ file: Descriptor, in folder: Descriptor) -> Bool {
        switch feature {
        case .sync: return pwrite(file.number, "x", 1, 0) == 1 && fdatasync(file.number) == 0
        case .hardLinks: return linkat(folder.number, "a", folder.number, "b", 0) == 0
        case .keepingNames:
            guard (try? makeFile("c", in: folder)) != nil else { return false }
            // It must refuse: "a" is there.
            return !canRenameWithoutFlags { renameKeeping(folder.number, "c", folder.number, "a") }
        case .exchange:
            guard (try? makeFile("c", in: folder)) != nil else { return false }
            return renameExchanging(folder.number, "a", folder.number, "c") == 0
        case .holes:
            guard ftruncate(file.number, 1 << 20) == 0 else { return false }
            // SEEK_HOLE of <unistd.h>.
            return lseek(file.number, 0, 4) < 1 << 20
        case .unbuffered:
            return
                (try? Descriptor(
                    taking: openat(folder.number, "a", O_RDONLY | openUnbuffered | O_CLOEXEC), from: "open")) != nil
        case .exactTimes:
            let time = timespec(tv_sec: 1_000_000_000, tv_nsec: 123_456_789)
            var status = stat()
            return futimens(file.number, [time, time]) == 0 && fstat(file.number, &status) == 0
                && status.st_mtim.tv_sec == time.tv_sec && status.st_mtim.tv_nsec == time.tv_nsec
        }
    }

    /// Whether a rename that must be refused was refused for another reason than the name being taken.
    private static func canRenameWithoutFlags(_ rename: () -> Int32) -> Bool { rename() == 0 || errno != EEXIST }
}
