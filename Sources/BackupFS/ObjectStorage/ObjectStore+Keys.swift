extension ObjectStore {
    /// An object's whole key, as other clients of the same bucket or directory name it.
    package func fullKey(_ key: String) -> String {
        guard location.hasPrefix("s3://") else { return key }
        let prefix = location.dropFirst("s3://".count).split(separator: "/").dropFirst()
        return (prefix + [Substring(key)]).joined(separator: "/")
    }

    /// How long a key may be, in bytes: what S3 allows, less the prefix that every key gets.
    package var longestKey: Int { 1024 - (fullKey("x").utf8.count - 1) }
}
