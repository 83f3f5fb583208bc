// Prefixes lie inside each other, and nothing in S3 keeps one from being another's part.

extension S3Store {
    package func ancestor(
        holding key: String, deadline: ContinuousClock.Instant
    ) async throws(ObjectStoreError) -> String? {
        var prefix = configuration.prefix[...]
        while !prefix.isEmpty {
            prefix = prefix.lastIndex(of: "/").map { prefix[..<$0] } ?? ""
            let place = prefix.isEmpty ? "" : "\(prefix)/"
            // A listing needs no key of an encrypted object.
            let request = bucketRequest(
                .get, .read,
                [("encoding-type", "url"), ("list-type", "2"), ("max-keys", "1"), ("prefix", place + key)])
            do throws(ObjectStoreError) {
                let page = try page(try await loop.run(request, deadline: deadline))
                guard page.objects.contains(where: { $0.key == place + key }) else { continue }
                return prefix.isEmpty ? "s3://\(configuration.bucket)" : "s3://\(configuration.bucket)/\(prefix)"
            } catch .denied {
                // Credentials that are for this prefix only.
                continue
            }
        }
        return nil
    }
}
