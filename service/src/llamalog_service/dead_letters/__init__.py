"""Dead letters for operators: chosen, judged anew, sent back to where they came from."""
