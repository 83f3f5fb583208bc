import ObjectStorage

/// Why backup storage is refused.
package enum OwnershipError: Error, Equatable {
    /// The prefix belongs to another catalogue.
    case belongsToAnother(location: String)
    /// The catalogue says that files are stored there, and the prefix has no marker.
    case markerMissing(location: String)
    /// The journal there has segments that the catalogue never sent: the catalogue is an old copy.
    case catalogueIsOlder(location: String)
    /// A place above belongs to a catalogue, and so does all that is inside it.
    case insideAnother(location: String, other: String)
    /// A place inside belongs to another catalogue.
    case aroundAnother(location: String, other: String)
    /// Somebody else is claiming it at the same moment, or died while claiming it: `key` is there because of that.
    case beingClaimed(location: String, key: String)
    /// A later mount, or a restore, has claimed it: `host` and `time` are what it said of itself.
    case takenOver(location: String, host: String, time: String)
    /// Backup storage did not answer or refused us.
    case store(ObjectStoreError)
    /// The catalogue could not say what it knows of it.
    case catalogue(FileSystemError)
}

extension OwnershipError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .belongsToAnother(let location):
            "\(location) belongs to another BackupFS catalogue: use another prefix, or the main directory that it belongs to"
        case .markerMissing(let location):
            "\(location) has no BackupFS marker although this catalogue has its backup there: is it the right bucket "
                + "and prefix? if the backup is to begin anew there, mount with --new-bucket"
        case .catalogueIsOlder(let location):
            "\(location) has newer names than the catalogue, which is an old copy: run `backupfs restore MAIN --backup "
                + "\(location)`, which keeps the files that MAIN has"
        case .takenOver(let location, let host, let time):
            "\(location) was taken over by \(host.isEmpty ? "another machine" : host)\(time.isEmpty ? "" : " at \(time)"): "
                + "to take it back, stop that one and run `backupfs restore MAIN --backup \(location)`"
        case .insideAnother(let location, let other):
            "\(location) lies inside the BackupFS backup \(other): use a place beside that one"
        case .aroundAnother(let location, let other):
            "the BackupFS backup \(other) lies inside \(location): use a place that has no other backup inside"
        case .beingClaimed(let location, let key):
            "\(location) is just being claimed by another BackupFS: if none is, remove the object \(key) and try again"
        case .store(let error): "\(error)"
        case .catalogue(let error): "\(error)"
        }
    }
}
