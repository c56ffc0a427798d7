"""A small character-level transformer, trained in place: the model for machines that can fetch none. Protected.

Decoder-only, pre-norm, learned positions (Radford et al. 2019); small enough that a CPU trains it in a minute.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, scaled_dot_product_attention

D_MODEL = 64
N_LAYERS = 3
N_HEADS = 4
CONTEXT = 128
BATCH_SIZE = 16
LEARNING_RATE = 2e-3


class Block(nn.Module):
    """Causal self-attention and an MLP, each added to the residual stream x [n, T, d]."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(D_MODEL), nn.LayerNorm(D_MODEL)])
        self.qkv = nn.Linear(D_MODEL, 3 * D_MODEL)
        self.out = nn.Linear(D_MODEL, D_MODEL)
        self.mlp = nn.Sequential(nn.Linear(D_MODEL, 4 * D_MODEL), nn.GELU(), nn.Linear(4 * D_MODEL, D_MODEL))

    def forward(self, x: Tensor) -> Tensor:
        n, length, _ = x.shape
        heads = self.qkv(self.norms[0](x)).view(n, length, 3, N_HEADS, -1).permute(2, 0, 3, 1, 4)
        mixed = scaled_dot_product_attention(*heads, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(n, length, D_MODEL))
        return x + self.mlp(self.norms[1](x))


class CharGPT(nn.Module):
    """Tokens [n, T], T <= CONTEXT, to logits [n, T, vocabulary]."""

    def __init__(self, n_vocabulary: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(n_vocabulary, D_MODEL)
        self.positions = nn.Parameter(0.02 * torch.randn(CONTEXT, D_MODEL))
        self.blocks = nn.ModuleList([Block() for _ in range(N_LAYERS)])
        self.norm = nn.LayerNorm(D_MODEL)
        self.unembedding = nn.Linear(D_MODEL, n_vocabulary, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens) + self.positions[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.unembedding(self.norm(x))


def train_char_gpt(text: Tensor, n_vocabulary: int, n_steps: int) -> CharGPT:
    """Train on random windows of `text`, a 1-D tensor of tokens longer than CONTEXT; always from the same seed."""
    torch.manual_seed(0)
    model = CharGPT(n_vocabulary)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=n_steps)
    offsets = torch.arange(CONTEXT + 1)
    report_every = max(1, n_steps // 5)
    for step in range(1, n_steps + 1):
        windows = text[torch.randint(len(text) - CONTEXT, (BATCH_SIZE, 1)) + offsets]
        loss = cross_entropy(model(windows[:, :-1]).flatten(0, 1), windows[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % report_every == 0:
            print(f"char_gpt: step {step}/{n_steps}  loss {loss.item():.3f} nats per character", flush=True)
    return model.eval()
