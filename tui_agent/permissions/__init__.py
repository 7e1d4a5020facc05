"""Who may do what: the policy, and the questions and answers of an approval."""
