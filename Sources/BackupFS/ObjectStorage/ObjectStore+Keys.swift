extension ObjectStore {
    /// An object's whole key, as other clients of the same bucket or directory name it.
    package func fullKey(_ key: String) -> String {
        guard location.hasPrefix("s3://") else { return key }
        let prefix = location.dropFirst("s3://".count).split(separator: "/").dropFirst()
        return (prefix + [Substring(key)]).joined(separator: "/")
    }
}
