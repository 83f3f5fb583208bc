// Changes of the catalogue, by name. Each is one transaction, made of the steps that every database behind the catalogue
// offers (CatalogueTransaction); what they promise is in Tests/CatalogueTests/CatalogueContract.swift.

/// One change of the catalogue, and what it answers.
package struct CatalogueChange<Outcome: Sendable>: Sendable {
    /// The steps, inside the transaction.
    let apply: @Sendable (any CatalogueTransaction) throws(CatalogueError) -> Outcome

    init(_ apply: @escaping @Sendable (any CatalogueTransaction) throws(CatalogueError) -> Outcome) {
        self.apply = apply
    }
}

/// One question of an operator, or of what else can wait, and its answer.
package struct CatalogueQuestion<Answer: Sendable>: Sendable {
    /// Finds the answer in one snapshot.
    let answer: @Sendable (any CatalogueQuestions) throws(CatalogueError) -> Answer

    package init(_ answer: @escaping @Sendable (any CatalogueQuestions) throws(CatalogueError) -> Answer) {
        self.answer = answer
    }
}
