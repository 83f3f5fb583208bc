/// How a large content is cut into parts; a value without I/O.
///
/// S3 allows 10,000 parts of 5 MiB to 5 GiB, the last one may be shorter, and 5 TiB in all.
struct PartLayout: Sendable, Equatable {
    /// The operator's choice: how large parts are, in bytes, and from which length on there are any.
    struct Cut: Sendable, Equatable {
        /// Parts of so many bytes, if 10,000 of them are enough.
        let preferred: Int64

        /// From how many bytes on a content is sent in parts: never fewer than two, and no more than one PUT may carry.
        var threshold: Int64 { min(2 * preferred, PartLayout.longestPut) }

        /// How to send `length` bytes; nil: in one request.
        func layout(length: Int64) -> PartLayout? {
            guard length >= threshold else { return nil }
            let least = (length + PartLayout.most - 1) / PartLayout.most
            // Whole mebibytes, so that pieces that are read and parts have common ends.
            let size = (max(preferred, least) + (1 << 20) - 1) & ~((1 << 20) - 1)
            return PartLayout(length: length, size: size)
        }
    }

    static let usualSize: Int64 = 16 << 20
    /// The most parts.
    static let most: Int64 = 10_000
    /// The longest object, in bytes.
    static let longestObject: Int64 = 5 << 40
    /// The longest content of one PUT, in bytes.
    static let longestPut: Int64 = 5 << 30

    /// In bytes.
    let length: Int64
    /// The size of all parts but the last, in bytes.
    let size: Int64

    /// How many parts.
    var count: Int { Int((length + size - 1) / size) }

    /// Where a part is, the first having the number 1.
    func part(_ number: Int) -> (offset: Int64, length: Int64) {
        let offset = Int64(number - 1) * size
        return (offset, min(size, length - offset))
    }
}
