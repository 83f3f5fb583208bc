// The checksums of a file that is read part by part, in whatever order: those of each part, and that of the whole as far as
// the parts before are known. The state of the whole's checksum is kept at the end of each part, so that a part that was read
// again costs only what comes after it.

/// The checksums of a content by its parts; used by one reading at a time.
package final class PartHashes: @unchecked Sendable {
    // Proof: nothing is kept but what a reading leaves for the next one, and their caller begins one when the one before it
    // has ended.
    private let partSize: Int64
    /// The whole's SHA-256 at the beginning of each part, as far as it is known.
    private var states = [MessageDigest.sha256()]

    package init(partSize: Int64) {
        self.partSize = partSize
    }

    /// How many parts from the first on the whole's checksum has.
    package var folded: Int { states.count - 1 }

    /// Reads a part, the first having the number 1, and digests it; what was known of it and of the whole from there on is
    /// forgotten.
    ///
    /// Throws `.localFile`, with EIO if the file is too short.
    package func read(
        _ number: Int, of descriptor: Int32, length: Int64
    ) throws(ObjectStoreError) -> BodyDigests {
        forget(number)
        let offset = Int64(number - 1) * partSize
        let isNext = states.count == number
        let content = isNext ? states[number - 1].copy() : .sha256()
        let pass = DigestPass(
            LocalFile(descriptor), offset: offset, length: length, .parts(size: max(1, length)), content: content)
        guard case .parts(let parts, _) = try pass.run().transport, parts.count == 1 else {
            throw .localFile(errno: 5)
        }
        if isNext { states.append(content) }
        return parts[0]
    }

    /// Reads a part for the whole's checksum alone.
    package func fold(_ number: Int, of descriptor: Int32, length: Int64) throws(ObjectStoreError) {
        guard states.count == number else { return }
        let content = states[number - 1].copy()
        let offset = Int64(number - 1) * partSize
        _ = try DigestPass(LocalFile(descriptor), offset: offset, length: length, .content, content: content).run()
        states.append(content)
    }

    /// A part has other bytes than those that were read.
    package func forget(_ number: Int) {
        if states.count > number { states.removeSubrange(number...) }
    }

    /// SHA-256 of the parts 1 to `count`; nil as long as one of them was not read.
    package func sha256(count: Int) -> [UInt8]? {
        states.count > count ? states[count].copy().finish() : nil
    }
}
