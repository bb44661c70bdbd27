"""How people sign in and stay signed in: password, second factor, limits of a session, and asking again.

A session belongs to nobody before both factors were right: between the two pages it only knows for whom it waits
(``sessions.py``). The middleware lets nobody through who has not passed the second one, on any address, unless a view
says that it is for visitors (Django's ``login_not_required``). Before a secret, a role, going live or a replay the
person is asked again (``confirmation.py``). What happened is told to the trail of each tenant that the person belongs
to (``told.py``).
"""
