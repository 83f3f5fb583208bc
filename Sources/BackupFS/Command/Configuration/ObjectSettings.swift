import ObjectStorage

/// How objects travel to S3 and how they are kept there; nil where nothing was said.
struct ObjectSettings: Codable, Equatable, Sendable {
    /// The size of the parts of large files.
    var partSize: ByteCountArgument?
    /// How much all transfers move in a second, both directions together.
    var bandwidthLimit: ByteCountArgument?
    /// The storage class of new objects.
    var storageClass: String?
    /// How the server encrypts new objects: `AES256`, `aws:kms`, `aws:kms:KEYID` or `customer:FILE`.
    var sse: String?

    /// The names of these options after `-o`.
    static let optionNames: Set<String> = [
        "part-size", "part_size", "bandwidth-limit", "bandwidth_limit", "storage-class", "storage_class", "sse",
    ]

    /// These settings, with those of `other` where these say nothing.
    func filled(from other: ObjectSettings?) -> ObjectSettings {
        ObjectSettings(
            partSize: partSize ?? other?.partSize, bandwidthLimit: bandwidthLimit ?? other?.bandwidthLimit,
            storageClass: storageClass ?? other?.storageClass, sse: sse ?? other?.sse)
    }

    /// Takes an option that came with `-o`; its name is one of `optionNames`.
    mutating func set(_ name: String, _ value: String) throws(CommandError) {
        switch name {
        case "part-size", "part_size": partSize = try Self.byteCount(name, value)
        case "bandwidth-limit", "bandwidth_limit": bandwidthLimit = try Self.byteCount(name, value)
        case "storage-class", "storage_class": storageClass = value
        default: sse = value
        }
    }

    /// The same, as an object store takes them.
    ///
    /// Throws a `PreflightFailure` if the encryption is none.
    func add(to options: inout StoreOptions) throws(PreflightFailure) {
        options.partSize = partSize?.bytes
        options.bandwidthLimit = bandwidthLimit?.bytes
        options.storageClass = storageClass
        guard let sse else { return }
        guard let encryption = ServerSideEncryption(sse) else {
            throw .backupConfiguration("--sse \(sse) is none of AES256, aws:kms, aws:kms:KEYID and customer:FILE")
        }
        options.encryption = encryption
    }

    /// With the path of a key file made absolute by `absolute`.
    func withPaths(_ absolute: (String) -> String) -> ObjectSettings {
        var settings = self
        if let sse, case .customer(let path) = ServerSideEncryption(sse) {
            settings.sse = "customer:\(absolute(path))"
        }
        return settings
    }

    private static func byteCount(_ name: String, _ value: String) throws(CommandError) -> ByteCountArgument {
        guard let count = ByteCountArgument(text: value) else {
            throw .wrongUsage("\(name)=\(value) is not a number of bytes like 16M")
        }
        return count
    }
}
