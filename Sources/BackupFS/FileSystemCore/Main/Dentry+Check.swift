import Catalogue

extension Dentry {
    /// Whether the name belongs to BackupFS.
    var isReserved: Bool { parent == .root && name == MainStorage.reservedName }

    /// Throws `.nameTooLong` for a name of more than 255 bytes.
    func checkLength() throws(FileSystemError) {
        guard name.count <= 255 else { throw .nameTooLong }
    }

    /// Throws if nothing can get this name: it is too long, or belongs to BackupFS.
    func check() throws(FileSystemError) {
        try checkLength()
        guard !isReserved else { throw .reservedName }
    }
}
