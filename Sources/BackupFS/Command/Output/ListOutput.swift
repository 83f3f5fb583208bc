import FileSystemCore

/// A list that is written as it comes: lines for people, or one JSON array.
struct ListOutput {
    private let isJSON: Bool
    private let write: (String) -> Void
    /// How many elements there were so far.
    private(set) var count = 0

    init(isJSON: Bool, write: @escaping (String) -> Void = StandardStreams.output) {
        self.isJSON = isJSON
        self.write = write
    }

    /// Writes one element; `text` is how people read it.
    mutating func add(_ element: some Encodable, _ text: String) {
        if !isJSON {
            write(text)
        } else if let json = try? ReportCoding.encode(element) {
            write((count == 0 ? "[" : ",") + String(decoding: json, as: UTF8.self))
        }
        count += 1
    }

    /// Writes the end; without it a list in JSON is not one, so that nobody takes a part for the whole.
    func finish(_ text: String) { write(isJSON ? (count == 0 ? "[]\n" : "]\n") : text) }
}
