import Logging

/// The store behind a backup URL, ready for use; asks no network and no disk but for the files that the options name.
///
/// Throws a `StoreConfigurationError` that says what to set. `environment` is where AWS_* variables are looked up.
package func makeObjectStore(
    _ url: BackupURL, _ options: StoreOptions, environment: [String: String], logger: Logger
) throws(StoreConfigurationError) -> any ObjectStore {
    switch url.place {
    case .directory(let path):
        return DirectoryStore(path: path)
    case .bucket(let bucket, let prefix):
        let configuration = try S3Configuration(
            bucket: bucket, prefix: prefix, options: options, environment: environment)
        do throws(ObjectStoreError) {
            let store = try S3Store(configuration, logger: logger)
            return RetryingStore(store, logger: logger, hold: { store.hold($0) })
        } catch {
            throw .library(reason: "\(error)")
        }
    }
}
