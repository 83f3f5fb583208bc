import Glibc
import Linux
import ObjectStorage

extension ObjectStore {
    /// The bytes of an object that is a few lines of text; nil if there is none under the key.
    func readSmall(
        _ key: String, limit: Int, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> [UInt8]? {
        let memory: Descriptor
        do throws(SystemError) {
            memory = try memoryFile()
        } catch {
            throw .localFile(errno: error.code)
        }
        do throws(ObjectStoreError) {
            _ = try await get(key, into: memory.number, limit: Int64(limit), deadline: deadline)
        } catch .notFound {
            return nil
        }
        var text = [UInt8](repeating: 0, count: limit)
        let count = pread(memory.number, &text, text.count, 0)
        guard count >= 0 else { throw .localFile(errno: errno) }
        return Array(text[..<count])
    }
}
