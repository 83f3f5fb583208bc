/// An entry of a directory: the directory, and a name in it.
package struct Dentry: Hashable, Sendable {
    package var parent: ResourceID
    /// The name, any bytes but NUL and `/`.
    package var name: [UInt8]

    package init(_ parent: ResourceID, _ name: [UInt8]) {
        self.parent = parent
        self.name = name
    }
}
