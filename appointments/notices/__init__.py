"""What people are told by mail, by their own choice, and what cannot wait for a mail.

audience    who is told: choices, addresses, rights
urgent      open differences that nobody has been shown although their visit is near
digests     one mail a day
sending     notices that are due → mails, within each person's cap
sensing     unusual silence and unusual numbers → alerts to divisions' contacts
"""
