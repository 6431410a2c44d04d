from server.sip.layer import TransactionLayer
from server.sip.timers import Timers
from tests.server.sip.wire import request, response, retransmitted


def test_a_retransmission_finds_its_transaction_and_another_branch_does_not():
    layer = TransactionLayer(Timers())
    transaction = layer.serve(request("INVITE"))
    assert layer.find(request("INVITE")) is transaction
    assert layer.find(retransmitted(request("INVITE"), "z9hG4bKtwo")) is None


def test_an_ack_and_a_cancel_find_the_invite():
    layer = TransactionLayer(Timers())
    transaction = layer.serve(request("INVITE"))
    assert layer.find(request("ACK")) is transaction
    assert layer.find(request("CANCEL")) is None
    assert layer.find_invite(request("CANCEL")) is transaction


def test_a_request_without_unique_branch_is_matched_by_its_other_fields():
    layer = TransactionLayer(Timers())
    transaction = layer.serve(request("INVITE", branch="old"))
    assert layer.find(request("INVITE", branch="old")) is transaction
    assert layer.find(request("ACK", branch="old", to="<sip:a@b>;tag=x")) is transaction
    assert layer.find(request("INVITE", branch="old", cseq=2)) is None


def test_a_pending_invite_from_another_path_is_merged_until_it_is_answered():
    layer = TransactionLayer(Timers())
    transaction = layer.serve(request("INVITE"))
    other = retransmitted(request("INVITE"), "z9hG4bKtwo")
    assert layer.is_merged(other)
    transaction.respond(response(transaction.request, 486), 0.0)
    assert not layer.is_merged(other)


def test_a_response_to_another_method_on_the_same_branch_is_not_taken():
    layer = TransactionLayer(Timers())
    heard = []
    invite = request("INVITE")
    layer.request(invite, None, 0.0, lambda outcome, now: heard.append(outcome))
    assert not layer.receive(response(request("CANCEL"), 200), 0.0)
    assert layer.receive(response(invite, 180), 0.0)
    assert len(heard) == 1


def test_a_finished_transaction_is_forgotten():
    timers = Timers()
    layer = TransactionLayer(timers)
    bye = request("BYE")
    layer.request(bye, None, 0.0, lambda outcome, now: None)
    layer.receive(response(bye, 200), 0.0)
    assert len(layer) == 1
    timers.run(5.0)
    assert len(layer) == 0
