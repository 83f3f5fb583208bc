// Reads that do not come to the daemon: the kernel is told which main copy to read from. What may be written without our
// knowing, through a mapping of the main copy by somebody who opened the file for reading and writing beside such a reader, is
// watched for: each close, each fsync and once a second it is looked whether the copy has changed.

import Catalogue
import Glibc
import Linux

extension BackupFileSystem {
    /// How often it looks whether a mapping that may be written is still there, and was written through.
    private static let look = Duration.seconds(1)
    /// A copy that was changed so short a time ago may change again without getting another time (kernels before 6.13 have
    /// only the time of their last tick).
    private static let tick: Nanoseconds = 20_000_000
    /// From this size on it pays that the kernel reads a file itself.
    ///
    /// The registration costs an open of a smaller one more than its reads cost less. A first read of 64 KB files came to 253 a
    /// second with it and 329 without, of 200 KB files to 520 and 160 (a debug build on a busy machine, PERFORMANCE.md).
    static let smallestPassedThrough: off_t = 128 << 10

    /// Has main copies registered with the kernel by `backing` from now on.
    package func passThrough(by backing: (any BackingFiles)?) { files.passThrough(by: backing) }

    /// Why main's files cannot be passed through; nil if they can.
    package var obstacleToPassthrough: String? { main.obstacleToPassthrough }

    /// Decides how the kernel reads and writes through an open; the handle is ready, and the kernel does not know it yet.
    ///
    /// False if the file has to be prepared for a change first (`prepareForChange`): what a mapping writes asks nobody (I3).
    package func enter(_ handle: FileHandle, _ access: OpenAccess) throws(FileSystemError) -> Bool {
        let file = handle.file
        let backing = files.backing
        let (decision, watched) = file.opens.withLock { opens -> (OpenModes<Descriptor>.Decision?, Descriptor?) in
            if opens.isUncached, access.mayMapForWriting, file.content({ $0.mustCompare }) { return (nil, nil) }
            let decision = opens.opened(access, file.verifiedDescriptor) { copy in Self.register(copy, backing) }
            let watched = opens.watchBegins()
            if watched != nil { file.content { $0.mappingBegins() } }
            return (decision, watched)
        }
        switch decision {
        case nil: return false
        case .refused:
            logger.error(
                "a file cannot be opened as long as others read a copy of it that was set aside",
                metadata: ["inode": "\(file.id.rawValue)"])
            throw .main(errno: EIO, during: "open")
        case .open(let mode): handle.entered(mode, access)
        }
        if let watched { watchMappings(of: file, watched) }
        return true
    }

    private static func register(_ copy: Descriptor, _ backing: (any BackingFiles)?) -> BackingFile? {
        guard let backing, let status = try? copy.status(), status.st_size >= smallestPassedThrough else { return nil }
        return backing.register(copy.number)
    }

    /// The kernel has let go of it.
    func leave(_ handle: FileHandle) {
        guard let (mode, access) = handle.left() else { return }
        let unused = handle.file.opens.withLock { $0.closed(mode, access) }
        if let unused { files.backing?.forget(unused) }
    }

    // MARK: Mappings of the main copy

    /// Notes as a write what may have been written through a mapping until now.
    package func noteMappings(_ file: FileState) async throws(FileSystemError) {
        guard let copy = file.content({ $0.mappedCopy }) else { return }
        let now = try await restingCopy(copy)
        guard file.content({ $0.mappedCopyLooks(now) }) else { return }
        // Nobody knows which bytes.
        let range = 0..<Int64.max
        try beginWrite(file, range)
        endWrite(file, range)
    }

    /// How a copy looks with none of its pages being written to: whoever writes to one from now on gives it another time.
    ///
    /// nil if it is written to all the time.
    private func restingCopy(_ copy: Descriptor) async throws(FileSystemError) -> MainCopy? {
        for _ in 0..<3 {
            // Only the first write to a page gives the file a new time, until the page was written back. The failure of a sync
            // through a descriptor of its own is there for the upload's sync to find, too.
            let number = Glibc.open("/proc/self/fd/\(copy.number)", O_RDONLY | O_CLOEXEC)
            guard number >= 0 else { throw .main(errno: errno, during: "open") }
            let isWritten = fdatasync(number) == 0
            Glibc.close(number)
            let now = MainCopy(try copy.status())
            if isWritten, currentTime() - now.modified > Self.tick { return now }
            try? await Task.sleep(for: .nanoseconds(Self.tick))
        }
        return nil
    }

    /// Mappings may live longer than the opens that they were made through: somebody has to look for them.
    private func watchMappings(of file: FileState, _ copy: Descriptor) {
        _ = files.acquire(file.id)
        if let now = try? copy.status() { _ = file.content { $0.mappedCopyLooks(MainCopy(now)) } }
        // What the mount's page cache has of it would grow old.
        files.contentChanged(file.id)
        Task(executorPreference: BlockingExecutor.shared) { [self] in await watch(file, copy) }
    }

    private func watch(_ file: FileState, _ copy: Descriptor) async {
        var ended: BackingFile??
        while ended == nil {
            try? await Task.sleep(for: Self.look)
            guard !catalogue.work.isStopped else { break }
            ended = file.opens.withLock { $0.watchEnds { mayBeOpenElsewhere(copy) } }
            guard let now = try? copy.status(), !file.content({ $0.isMappedCopy(MainCopy(now)) }) else { continue }
            do throws(FileSystemError) {
                try await noteMappings(file)
            } catch {
                // The next look comes to the same; the last one leaves it to the next open to find out.
                logger.error(
                    "a change by a mapping was not noted",
                    metadata: ["inode": "\(file.id.rawValue)", "error": "\(error)"])
            }
            files.contentChanged(file.id)
            handOver(file)
        }
        if case .some(.some(let unused)) = ended { files.backing?.forget(unused) }
        file.content { $0.mappingEnded() }
        if ended != nil { handOver(file) }
        files.release(file)
    }
}
