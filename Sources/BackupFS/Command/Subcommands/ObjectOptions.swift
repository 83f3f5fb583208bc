import ArgumentParser

/// The options that say how objects travel to S3 and how they are kept there.
struct ObjectOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Files of twice this size and more travel in parts of it (16M by default, 5M to 5G).", valueName: "bytes"))
    var partSize: ByteCountArgument?

    @Option(
        help: ArgumentHelp(
            "What all transfers together may move in a second, up and down (512K, 10M).", valueName: "bytes"))
    var bandwidthLimit: ByteCountArgument?

    @Option(help: ArgumentHelp("The storage class of new objects, like STANDARD_IA.", valueName: "name"))
    var storageClass: String?

    @Option(
        help: ArgumentHelp(
            "How the server encrypts new objects: AES256, aws:kms, aws:kms:KEYID, or customer:FILE with a key of yours.",
            valueName: "how"))
    var sse: String?

    /// What was given; nil if nothing was.
    var settings: ObjectSettings? {
        let given = ObjectSettings(
            partSize: partSize, bandwidthLimit: bandwidthLimit, storageClass: storageClass, sse: sse)
        return given == ObjectSettings() ? nil : given
    }
}
