"""A courier that was written from `docs/add-a-courier.md` alone, to try that page and the kit: it shows a secret and
signs nothing, which none of those that ship does. It is not in service: nobody has spoken to the real one.
"""
